// SPDX-License-Identifier: Apache-2.0
// Any bytes as a function: places are inside the code that was given, or there are none.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "elf/sites.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    constexpr std::uint64_t kAt = 0x10000;
    const std::string_view all(reinterpret_cast<const char*>(data), size);
    const std::string_view code = all.substr(0, size / 2);
    // What it jumps out to stands behind it.
    const waggle::elf::ReadCode read = [&](std::uint64_t address, std::uint64_t wanted) -> std::optional<std::string> {
        if (address < kAt || address - kAt >= size) return std::nullopt;
        return std::string(all.substr(address - kAt, wanted));
    };
    const auto convention = size % 2 ? waggle::elf::Convention::Go : waggle::elf::Convention::SystemV;
    const auto sites = waggle::elf::find_sites(
        code, kAt, {.arguments = static_cast<unsigned>(size % 5), .convention = convention}, read);
    if (!sites) return 0;
    if (sites->enter.address < kAt || sites->enter.address >= kAt + code.size() || sites->leave.empty()) std::abort();
    if (!std::ranges::is_sorted(sites->leave) || sites->leave.front().address < kAt ||
        sites->leave.back().address >= kAt + size)
        std::abort();
    return 0;
}
