// SPDX-License-Identifier: Apache-2.0
#include "proc/mapped_code.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/limits.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <string_view>

#include "base/fd.h"
#include "proc/file.h"

namespace waggle::proc {
namespace {

constexpr size_t kMaxText = 8u << 20;
constexpr size_t kMost = 4096;
constexpr std::string_view kDeleted = " (deleted)";

// linux/fs.h of 6.11, which older systems' headers lack.
struct ProcmapQuery {
    std::uint64_t size;
    std::uint64_t query_flags;
    std::uint64_t query_addr;
    std::uint64_t vma_start;
    std::uint64_t vma_end;
    std::uint64_t vma_flags;
    std::uint64_t vma_page_size;
    std::uint64_t vma_offset;
    std::uint64_t inode;
    std::uint32_t dev_major;
    std::uint32_t dev_minor;
    std::uint32_t vma_name_size;
    std::uint32_t build_id_size;
    std::uint64_t vma_name_addr;
    std::uint64_t build_id_addr;
};
static_assert(sizeof(ProcmapQuery) == 104);
constexpr unsigned long kProcmapQuery = _IOWR('f', 17, ProcmapQuery);
constexpr std::uint64_t kExecutable = 0x04;
constexpr std::uint64_t kCoveringOrNext = 0x10;
constexpr std::uint64_t kFileBacked = 0x20;

// False when there are enough.
bool add(MappedCodes& files, std::string range, std::string_view path, std::uint64_t inode) {
    if (path.ends_with(kDeleted)) path.remove_suffix(kDeleted.size());
    const auto is_same = [&](const MappedCode& other) { return other.inode == inode && other.path == path; };
    if (std::ranges::none_of(files, is_same)) files.push_back({std::move(range), std::string(path), inode});
    return files.size() < kMost;
}

}  // namespace

Result<MappedCodes> read_mapped_code(const std::string& maps) {
    if (auto found = query_mapped_code(maps)) return std::move(*found);
    return parse_mapped_code(maps);
}

std::optional<MappedCodes> query_mapped_code(const std::string& maps) {
    const Fd file(::open(maps.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.is_open()) return std::nullopt;
    MappedCodes files;
    std::array<char, PATH_MAX> name;
    for (std::uint64_t from = 0;;) {
        ProcmapQuery query{.size = sizeof(query),
                           .query_flags = kExecutable | kFileBacked | kCoveringOrNext,
                           .query_addr = from,
                           .vma_name_size = name.size(),
                           .vma_name_addr = reinterpret_cast<std::uint64_t>(name.data())};
        if (::ioctl(file.get(), kProcmapQuery, &query) != 0) {
            // No more of them, or the process has gone.
            if (errno == ENOENT || errno == ESRCH) return files;
            return std::nullopt;
        }
        const std::string_view path(name.data(), query.vma_name_size ? query.vma_name_size - 1 : 0);
        if (path.starts_with('/') &&
            !add(files, fmt::format("{:x}-{:x}", query.vma_start, query.vma_end), path, query.inode))
            return files;
        from = query.vma_end;
    }
}

Result<MappedCodes> parse_mapped_code(const std::string& maps) {
    MappedCodes files;
    // range permissions offset device inode path
    const bool is_open = each_line(maps, kMaxText, [&](std::string_view line) {
        std::array<std::string_view, 5> words;
        for (std::string_view& word : words) {
            const size_t end = std::min(line.find(' '), line.size());
            word = line.substr(0, end);
            line.remove_prefix(std::min(line.size(), end + 1));
        }
        line.remove_prefix(std::min(line.find('/'), line.size()));
        if (words[1].size() < 3 || words[1][2] != 'x' || line.empty()) return true;
        std::uint64_t inode = 0;
        std::from_chars(words[4].data(), words[4].data() + words[4].size(), inode);
        // The folder map_files does without the zeros before small addresses.
        std::string_view begin = words[0].substr(0, words[0].find('-'));
        std::string_view end = words[0].substr(std::min(words[0].size(), begin.size() + 1));
        for (std::string_view* address : {&begin, &end})
            address->remove_prefix(std::min(address->find_first_not_of('0'), address->size()));
        return add(files, fmt::format("{}-{}", begin, end), line, inode);
    });
    if (!is_open) return fail_errno(maps);
    return files;
}

}  // namespace waggle::proc
