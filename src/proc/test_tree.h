// SPDX-License-Identifier: Apache-2.0
// ProcTree: a /proc of a test's own, in a temporary folder. Files have the kernel's form, so that
// the readers meet what they meet in life.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "proc/procfs.h"

namespace waggle::proc {

struct TreeProcess {
    std::uint32_t pid = 0;
    std::uint32_t ppid = 1;
    std::string exe;
    std::vector<std::string> argv;
    std::string cwd = "/";
    std::string comm = "program";
    std::string cgroup = "0::/\n";
    std::vector<std::string> environment;
    std::uint64_t start_ticks = 100;
    std::uint64_t net = 4026531840;
    std::uint32_t uid = 0;
    char state = 'S';
    std::uint64_t flags = 0x400000;
};

class ProcTree {
  public:
    ProcTree() {
        std::string pattern = (std::filesystem::temp_directory_path() / "waggle-proc-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
        root_ = pattern;
    }
    ~ProcTree() {
        std::error_code ignored;
        std::filesystem::remove_all(root_, ignored);
    }
    ProcTree(const ProcTree&) = delete;
    ProcTree& operator=(const ProcTree&) = delete;

    const std::string& root() const { return root_; }
    ProcFs procfs() const { return ProcFs(root_); }

    std::string folder(std::uint32_t pid) const { return root_ + "/" + std::to_string(pid); }

    void write(std::uint32_t pid, const std::string& name, std::string_view text) const {
        write_file(folder(pid) + "/" + name, text);
    }
    void link(std::uint32_t pid, const std::string& name, const std::string& target) const {
        const std::filesystem::path path = folder(pid) + "/" + name;
        std::filesystem::create_directories(path.parent_path());
        std::filesystem::remove(path);
        std::filesystem::create_symlink(target, path);
    }

    void add(const TreeProcess& process) const {
        const std::uint32_t pid = process.pid;
        remove(pid);
        // 52 fields, as proc(5) numbers them.
        std::string stat = std::to_string(pid) + " (" + process.comm + ") " + process.state + ' ' +
                           std::to_string(process.ppid) + " 1 1 0 -1 " + std::to_string(process.flags);
        for (int field = 10; field < 22; ++field) stat += " 0";
        stat += ' ' + std::to_string(process.start_ticks);
        for (int field = 23; field <= 52; ++field) stat += " 0";
        write(pid, "stat", stat + "\n");
        const std::string uid = std::to_string(process.uid);
        write(pid, "status",
              "Name:\t" + process.comm + "\nUid:\t" + uid + "\t0\t0\t0\nNSpid:\t" + std::to_string(pid) + "\n");
        write(pid, "cmdline", joined(process.argv));
        write(pid, "environ", joined(process.environment));
        write(pid, "cgroup", process.cgroup);
        if (!process.exe.empty()) link(pid, "exe", process.exe);
        link(pid, "cwd", process.cwd);
        link(pid, "ns/net", "net:[" + std::to_string(process.net) + "]");
        std::filesystem::create_directories(folder(pid) + "/fd");
        std::filesystem::create_directories(folder(pid) + "/root");
    }
    void remove(std::uint32_t pid) const { std::filesystem::remove_all(folder(pid)); }

    // A listening socket of the process, in the tables of its folder.
    void listen(std::uint32_t pid, std::uint16_t port, std::uint64_t inode) const {
        char line[256];
        std::snprintf(line, sizeof(line),
                      "   0: 00000000:%04X 00000000:0000 0A 00000000:00000000 00:00000000 00000000 "
                      "    0        0 %llu 1 "
                      "0000000000000000 100 0 0 10 0\n",
                      port, static_cast<unsigned long long>(inode));
        append(pid, "net/tcp", kTcpHead, line);
        hold(pid, inode);
    }
    // A descriptor for the socket.
    void hold(std::uint32_t pid, std::uint64_t inode) const {
        const std::string name = "fd/" + std::to_string(3 + inode % 1000);
        link(pid, name, "socket:[" + std::to_string(inode) + "]");
    }
    void listen_unix(std::uint32_t pid, std::string_view path, std::uint64_t inode) const {
        append(pid, "net/tcp", kTcpHead, "");
        append(pid, "net/unix", "Num       RefCount Protocol Flags    Type St Inode Path\n",
               "0000000000000000: 00000002 00000000 00010000 0001 01 " + std::to_string(inode) + " " +
                   std::string(path) + "\n");
        hold(pid, inode);
    }
    // A file as the process sees it.
    void write_in_root(std::uint32_t pid, const std::string& path, std::string_view text) const {
        write(pid, "root" + path, text);
    }

    static constexpr std::string_view kTcpHead =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
        "timeout inode\n";

    static void write_file(const std::filesystem::path& path, std::string_view text) {
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary) << text;
    }

  private:
    static std::string joined(const std::vector<std::string>& parts) {
        std::string text;
        for (const std::string& part : parts) text.append(part).append(1, '\0');
        return text;
    }
    void append(std::uint32_t pid, const std::string& name, std::string_view head, std::string_view line) const {
        const std::filesystem::path path = folder(pid) + "/" + name;
        const bool is_new = !std::filesystem::exists(path);
        std::filesystem::create_directories(path.parent_path());
        std::ofstream file(path, std::ios::binary | std::ios::app);
        if (is_new) file << head;
        file << line;
    }

    std::string root_;
};

}  // namespace waggle::proc
