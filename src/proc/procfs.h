// SPDX-License-Identifier: Apache-2.0
// ProcFs: what /proc says about processes. Every read is bounded; a process that vanishes, or that
// we may not look into, gives an absent or empty answer, never an error.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proc/mapped_code.h"

namespace waggle::proc {

// A file, whatever it is called: st_dev and st_ino as stat(2) gives them.
struct FileId {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    friend auto operator<=>(const FileId&, const FileId&) = default;
};

struct Stat {
    std::string comm;
    std::uint32_t ppid = 0;
    std::uint64_t start_ns = 0;  // CLOCK_BOOTTIME, rounded down to a clock tick
    bool is_kernel_thread = false;
    bool is_dead = false;  // zombie or dead
};

struct Status {
    std::uint32_t tgid = 0;              // the process, also of a thread
    std::uint32_t uid = 0;               // real
    std::vector<std::uint32_t> ns_pids;  // outermost first; the last is what the process sees
};

class ProcFs {
  public:
    explicit ProcFs(std::string root = "/proc");

    const std::string& root() const { return root_; }
    std::string path(std::uint32_t pid, std::string_view name) const;

    std::vector<std::uint32_t> pids() const;  // ascending
    std::optional<Stat> stat(std::uint32_t pid) const;
    std::optional<Status> status(std::uint32_t pid) const;
    // The link's target without the kernel's " (deleted)"; empty for kernel threads.
    std::string exe(std::uint32_t pid) const;
    // The path of its root, as ours has it: "/" but for a process that has changed it.
    std::string root_folder(std::uint32_t pid) const { return link(pid, "root"); }
    std::optional<FileId> exe_file(std::uint32_t pid) const;
    std::string cwd(std::uint32_t pid) const;
    // At most 256 arguments of at most 1 KiB each (longer ones are cut), 16 KiB together.
    std::vector<std::string> arguments(std::uint32_t pid) const;
    // Only the wanted variables; the first one of a name counts, as for getenv.
    std::map<std::string, std::string> environment(std::uint32_t pid, std::span<const std::string_view> wanted) const;
    // Calls visit with the name of each mapped file (consecutive repeats left out) until it says
    // false. Streams: the size of the list does not matter for memory.
    void each_mapped_file(std::uint32_t pid, const std::function<bool(std::string_view)>& visit) const;
    // Each file that it has mapped as code, once, at most 4096.
    Result<MappedCodes> mapped_code(std::uint32_t pid) const;
    std::string cgroups(std::uint32_t pid) const;              // the file's text
    std::uint64_t network_namespace(std::uint32_t pid) const;  // inode, 0: unknown
    // Are the numbers that this /proc shows the host's?
    bool shows_first_pid_namespace() const;
    // The agent's own number here; 0: not known.
    std::uint32_t own_pid() const;
    // Inodes of the sockets among the process's descriptors.
    std::vector<std::uint64_t> socket_inodes(std::uint32_t pid) const;

    // The beginning of a regular file as the process sees the path. Links are followed inside the
    // process's root only, so that a container cannot point us at the host's files.
    std::optional<std::string> read_in_root(std::uint32_t pid, std::string_view path, size_t limit) const;

  private:
    std::optional<std::string> read(std::uint32_t pid, std::string_view name, size_t limit) const;
    std::string link(std::uint32_t pid, std::string_view name) const;
    std::uint64_t namespace_inode(std::uint32_t pid, std::string_view name) const;

    std::string root_;
    std::uint64_t ns_per_tick_;
};

}  // namespace waggle::proc
