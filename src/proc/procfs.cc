// SPDX-License-Identifier: Apache-2.0
#include "proc/procfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>

#include "base/fd.h"
#include "base/strings.h"
#include "proc/file.h"
#include "proc/pid_namespace.h"

namespace waggle::proc {
namespace {

constexpr size_t kMaxSmallFile = 16 * 1024;
constexpr size_t kMaxCommandLine = 256 * 1024;  // class paths are long, the main class comes after
constexpr size_t kMaxArguments = 256;
constexpr size_t kMaxArgument = 1024;
constexpr size_t kMaxArgumentsSize = 16 * 1024;
constexpr size_t kMaxEnvironment = 512 * 1024;
constexpr size_t kMaxVariable = 8 * 1024;
constexpr size_t kMaxMaps = 8u << 20;
constexpr size_t kMaxDescriptors = 65536;
constexpr size_t kMaxPids = 1u << 22;
constexpr std::uint64_t kKernelThread = 0x00200000;  // PF_KTHREAD
constexpr std::string_view kDeleted = " (deleted)";

using Directory = std::unique_ptr<DIR, decltype([](DIR* directory) { ::closedir(directory); })>;

// The n-th (from 0) blank-separated word.
std::string_view word(std::string_view text, size_t n) {
    size_t from = text.find_first_not_of(" \t");
    for (; from != std::string_view::npos; from = text.find_first_not_of(" \t", from)) {
        const size_t to = std::min(text.find_first_of(" \t", from), text.size());
        if (n-- == 0) return text.substr(from, to - from);
        from = to;
    }
    return {};
}

// 4026531840 of "net:[4026531840]".
std::uint64_t bracketed(std::string_view text) {
    const size_t from = text.find('[');
    if (from == std::string_view::npos || !text.ends_with(']')) return 0;
    return parse_int<std::uint64_t>(text.substr(from + 1, text.size() - from - 2)).value_or(0);
}

}  // namespace

ProcFs::ProcFs(std::string root)
    : root_(std::move(root)),
      ns_per_tick_(1'000'000'000u / static_cast<std::uint64_t>(std::max(1L, ::sysconf(_SC_CLK_TCK)))) {}

std::string ProcFs::path(std::uint32_t pid, std::string_view name) const {
    std::string path = root_;
    path += '/';
    path += std::to_string(pid);
    path += '/';
    path += name;
    return path;
}

std::optional<std::string> ProcFs::read(std::uint32_t pid, std::string_view name, size_t limit) const {
    return read_file(path(pid, name), limit);
}

std::string ProcFs::link(std::uint32_t pid, std::string_view name) const { return read_link(path(pid, name)); }

std::vector<std::uint32_t> ProcFs::pids() const {
    std::vector<std::uint32_t> pids;
    const Directory directory(::opendir(root_.c_str()));
    if (!directory) return pids;
    while (const dirent* entry = ::readdir(directory.get())) {
        if (const auto pid = parse_int<std::uint32_t>(entry->d_name)) pids.push_back(*pid);
        if (pids.size() == kMaxPids) break;
    }
    std::ranges::sort(pids);
    return pids;
}

std::optional<Stat> ProcFs::stat(std::uint32_t pid) const {
    const auto text = read(pid, "stat", 4096);
    if (!text) return std::nullopt;
    // The name may hold blanks and parentheses: it ends at the last one.
    const size_t open = text->find('(');
    const size_t close = text->rfind(')');
    if (open == std::string::npos || close == std::string::npos || close < open) return std::nullopt;
    const std::string_view rest = std::string_view(*text).substr(close + 1);
    const auto ppid = parse_int<std::uint32_t>(word(rest, 1));
    const auto flags = parse_int<std::uint64_t>(word(rest, 6));
    const auto start = parse_int<std::uint64_t>(word(rest, 19));
    if (!ppid || !start) return std::nullopt;
    const std::string_view state = word(rest, 0);
    return Stat{.comm = text->substr(open + 1, close - open - 1),
                .ppid = *ppid,
                .start_ns = *start * ns_per_tick_,
                .is_kernel_thread = (flags.value_or(0) & kKernelThread) != 0,
                .is_dead = state == "Z" || state == "X"};
}

std::optional<Status> ProcFs::status(std::uint32_t pid) const {
    const auto text = read(pid, "status", kMaxSmallFile);
    if (!text) return std::nullopt;
    Status status;
    for (const std::string_view line : split(*text, '\n')) {
        if (line.starts_with("Tgid:")) status.tgid = parse_int<std::uint32_t>(word(line, 1)).value_or(0);
        if (line.starts_with("Uid:")) status.uid = parse_int<std::uint32_t>(word(line, 1)).value_or(0);
        if (!line.starts_with("NSpid:")) continue;
        for (size_t n = 1; const auto id = parse_int<std::uint32_t>(word(line, n)); ++n) status.ns_pids.push_back(*id);
    }
    return status;
}

std::string ProcFs::exe(std::uint32_t pid) const {
    std::string target = link(pid, "exe");
    if (target.ends_with(kDeleted)) target.resize(target.size() - kDeleted.size());
    return target;
}

std::optional<FileId> ProcFs::exe_file(std::uint32_t pid) const {
    struct ::stat file{};
    if (::stat(path(pid, "exe").c_str(), &file) != 0) return std::nullopt;
    return FileId{.device = file.st_dev, .inode = file.st_ino};
}

std::string ProcFs::cwd(std::uint32_t pid) const { return link(pid, "cwd"); }

std::vector<std::string> ProcFs::arguments(std::uint32_t pid) const {
    const auto text = read(pid, "cmdline", kMaxCommandLine);
    std::vector<std::string> arguments;
    if (!text) return arguments;
    std::string_view rest = *text;
    // A process that wrote a title over its arguments leaves NULs or blanks behind it.
    while (rest.ends_with('\0') || rest.ends_with(' ')) rest.remove_suffix(1);
    if (rest.empty()) return arguments;
    size_t size = 0;
    for (const std::string_view argument : split(rest, '\0')) {
        if (arguments.size() == kMaxArguments || size >= kMaxArgumentsSize) break;
        arguments.emplace_back(argument.substr(0, kMaxArgument));
        size += arguments.back().size();
    }
    return arguments;
}

std::map<std::string, std::string> ProcFs::environment(std::uint32_t pid,
                                                       std::span<const std::string_view> wanted) const {
    std::map<std::string, std::string> found;
    const auto text = read(pid, "environ", kMaxEnvironment);
    if (!text) return found;
    for (std::string_view rest = *text; !rest.empty();) {
        const size_t end = std::min(rest.find('\0'), rest.size());
        const std::string_view variable = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        const size_t equals = variable.find('=');
        if (equals == std::string_view::npos || variable.size() > kMaxVariable) continue;
        const std::string_view name = variable.substr(0, equals);
        if (std::ranges::find(wanted, name) != wanted.end())
            found.try_emplace(std::string(name), variable.substr(equals + 1));
    }
    return found;
}

void ProcFs::each_mapped_file(std::uint32_t pid, const std::function<bool(std::string_view)>& visit) const {
    std::string previous;
    each_line(path(pid, "maps"), kMaxMaps, [&](std::string_view line) {
        const size_t from = line.find('/');
        if (from == std::string_view::npos) return true;
        const std::string_view name = line.substr(from);
        if (name == previous) return true;
        previous = name;
        return visit(name);
    });
}

Result<MappedCodes> ProcFs::mapped_code(std::uint32_t pid) const { return read_mapped_code(path(pid, "maps")); }

std::string ProcFs::cgroups(std::uint32_t pid) const { return read(pid, "cgroup", kMaxSmallFile).value_or(""); }

std::uint64_t ProcFs::namespace_inode(std::uint32_t pid, std::string_view name) const {
    return bracketed(link(pid, "ns/" + std::string(name)));
}

std::uint64_t ProcFs::network_namespace(std::uint32_t pid) const { return namespace_inode(pid, "net"); }

bool ProcFs::shows_first_pid_namespace() const { return shown_pid_namespace(*this) == kFirstPidNamespace; }

std::uint32_t ProcFs::own_pid() const { return parse_int<std::uint32_t>(read_link(root_ + "/self")).value_or(0); }

std::vector<std::uint64_t> ProcFs::socket_inodes(std::uint32_t pid) const {
    std::vector<std::uint64_t> inodes;
    const std::string folder = path(pid, "fd");
    const Directory directory(::opendir(folder.c_str()));
    if (!directory) return inodes;
    size_t seen = 0;
    while (const dirent* entry = ::readdir(directory.get())) {
        if (entry->d_name[0] == '.') continue;
        if (++seen > kMaxDescriptors) break;
        char target[64];
        const ssize_t size = ::readlinkat(::dirfd(directory.get()), entry->d_name, target, sizeof(target));
        if (size <= 0) continue;
        const std::string_view text(target, static_cast<size_t>(size));
        if (!text.starts_with("socket:")) continue;
        if (const std::uint64_t inode = bracketed(text)) inodes.push_back(inode);
    }
    return inodes;
}

std::optional<std::string> ProcFs::read_in_root(std::uint32_t pid, std::string_view name, size_t limit) const {
    const Fd root(::open(path(pid, "root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root.is_open()) return std::nullopt;
    open_how how{};
    how.flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    const Fd file(static_cast<int>(::syscall(SYS_openat2, root.get(), std::string(name).c_str(), &how, sizeof(how))));
    struct ::stat found{};
    if (!file.is_open() || ::fstat(file.get(), &found) != 0 || !S_ISREG(found.st_mode)) return std::nullopt;
    return read_fd(file.get(), limit);
}

}  // namespace waggle::proc
