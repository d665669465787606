// SPDX-License-Identifier: Apache-2.0
// The files that a process has mapped executable: /proc/PID/maps, from Linux 6.11 on by its ioctl, which passes over
// what is not asked for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace waggle::proc {

// The first of the ranges that a file is mapped to.
struct MappedCode {
    std::string range;  // of addresses, as the kernel names it in map_files
    std::string path;   // as the process's root has it; " (deleted)" taken off
    std::uint64_t inode = 0;
    friend bool operator==(const MappedCode&, const MappedCode&) = default;
};

using MappedCodes = std::vector<MappedCode>;

// maps: the path of such a file. At most 4096 files; those that were found when the process has gone meanwhile.
// Fails as open(2) does.
Result<MappedCodes> read_mapped_code(const std::string& maps);
// The two ways: nothing where the ioctl does not work or the file cannot be opened; or the file's text.
std::optional<MappedCodes> query_mapped_code(const std::string& maps);
Result<MappedCodes> parse_mapped_code(const std::string& maps);

}  // namespace waggle::proc
