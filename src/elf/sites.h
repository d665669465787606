// SPDX-License-Identifier: Apache-2.0
// Sites: where in a function's machine code a probe sees its arguments, and where its result. Only entry
// probes are ever set, so a result is read where it stands in its register with nothing but the return to
// come. Of the possible places those are taken that the kernel emulates: a probe on any other instruction
// costs four times as much.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "elf/image.h"
#include "elf/symbols.h"

namespace waggle::elf {

struct Site {
    std::uint64_t address = 0;
    // How far the stack pointer stands below where it was when the function was called: by this the two ends of a
    // call have the same stack.
    std::uint32_t depth = 0;
    friend auto operator<=>(const Site&, const Site&) = default;
};

struct Sites {
    Site enter;               // the arguments asked for are in their registers
    std::vector<Site> leave;  // ascending; every return passes one of them, some pass two
};

enum class Convention : std::uint8_t {
    SystemV,
    Go,  // ABIInternal, of Go 1.17 and later
};

// Code at an address outside the function, for those that leave by a jump to another one.
using ReadCode = std::function<std::optional<std::string>(std::uint64_t address, std::uint64_t size)>;

struct Wanted {
    unsigned arguments = 0;  // how many of the first ones must be there at the entry
    bool ends = true;        // else `leave` stays empty
    Convention convention = Convention::SystemV;
    // The kernel's emulation of a call need not write the return address to the shadow stack, without which the return
    // faults: never at one.
    bool has_shadow_stack = false;
};

// A function that leaves by a jump through a pointer has no ends where that can be told from a switch; else that way
// out is not seen.
Result<Sites> find_sites(std::string_view code, std::uint64_t address, const Wanted& wanted, const ReadCode& read);
// The same of a function of an image, which must be this processor's.
Result<Sites> find_sites(const Image& image, const Function& function, const Wanted& wanted);

}  // namespace waggle::elf
