// SPDX-License-Identifier: Apache-2.0
// TlsLinks: by which links the processes that map a TLS library are read. A link for each process at first, so that
// nothing traps in one that is not selected. But the kernel asks every link of a file at every call, and walks
// through all of its processes when one comes or goes: from some number on, and where every process that maps the file
// is selected, one link for all takes their place. It goes again as soon as one that is not selected runs into it, or
// is seen to map the file. The new ones are always set before the old ones go. Driven by TlsWatch.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "agent/tls_files.h"
#include "agent/tls_look.h"

namespace waggle::agent {

class TlsLinks {
  public:
    using Clock = std::chrono::steady_clock;
    using FileRef = std::shared_ptr<const TlsFile>;
    static constexpr std::size_t kShare = 16;  // from this many on it is worth a look

    struct Settings {
        std::size_t most_own;  // links of a file's processes; at a stop the kernel walks through all of them for each
        std::function<bool(std::uint32_t)> is_selected;
        // This one, for which there was no room, or which waited, is read from now on.
        std::function<void(std::uint32_t, const OpenTlsFile& file)> found;
        // This process of the file is not read any longer.
        std::function<void(std::uint32_t, const std::string& path, const std::string& why)> lost;
        // … or cannot be read now that there is room, or that it is known that there is none.
        std::function<void(std::uint32_t, const std::string& path, const Error& why)> failed;
    };
    TlsLinks(sensors::TlsLinker& probes, proc::ProcFs procfs, Settings settings);

    enum class Added { Read, Waits };
    // From here on the process is read through this file; or it waits, while it is found out whether there may be one
    // link for all: `found` or `failed` follows. Where there is no room for a link of its own it is read later, when
    // there is, or by the one for all. When it fails for a shortage (base/result.h) it is to be added once more.
    Result<Added> add(std::uint32_t pid, const OpenTlsFile& found, Clock::time_point until);
    // It is gone; the links that it had for itself are not taken here.
    void remove(std::uint32_t pid, const FileRef& file);
    // It goes on without it.
    void let_go(std::uint32_t pid, const FileRef& file);
    // That file, where processes are read through it; it may have been deleted.
    Fd open(const proc::MappedCode& mapped) const;
    // Goes on with what is under way, until about then.
    void go_on(Clock::time_point until);
    // There is something that does not wait for a time or an event.
    bool is_busy() const;
    // Who is read, in order: through files for which `counts` says so.
    using Counts = std::function<bool(std::uint32_t pid, const FileRef& file)>;
    std::vector<std::uint32_t> read(const Counts& counts = [](std::uint32_t, const FileRef&) { return true; }) const;
    // For a process that may not need it: enough is left for others.
    bool has_room_for_more(const FileRef& file) const;

  private:
    enum class Way {
        Own,   // a link for each process
        All,   // one for all; those that are left from before go
        Back,  // still the one for all, until each process has its own again
    };
    struct Users {
        std::uint32_t number = 0;  // of the file
        OpenTlsFile file;
        Way way = Way::Own;
        std::set<std::uint32_t> pids;      // of those that are read
        std::set<std::uint32_t> linked;    // … by a link of their own
        std::set<std::uint32_t> left_out;  // that are not, for want of room or of descriptors
        std::set<std::uint32_t> waiting;   // … or it is not known yet
        TlsLook look;
        // That somebody else maps it, perhaps one that is selected and not heard of yet; or it is not known.
        bool has_found = false;
        Clock::time_point next_look;
        std::chrono::seconds pause{};
        Clock::time_point next_try;  // to set own links, after a shortage
        std::chrono::milliseconds short_pause{};
    };
    Result<Users*> users_of(const OpenTlsFile& found);
    bool is_full(const Users& users) const { return users.linked.size() >= settings_.most_own; }
    Result<void> link(Users& users, std::uint32_t pid);
    // False: it is not read now.
    bool admit(Users& users, std::uint32_t pid);
    static void try_later(Users& users);
    void give_up_waiting(Users& users);
    void let_in(Users& users, Clock::time_point until);
    void go_on_with(Users& users, Clock::time_point until);
    void look(Users& users, Clock::time_point until);
    void share(Users& users);
    void let_go_of_own(Users& users, Clock::time_point until);
    void go_back(Users& users, Clock::time_point until);

    sensors::TlsLinker& probes_;
    proc::ProcFs procfs_;
    Settings settings_;
    bool sees_every_process_;
    std::map<FileRef, Users> by_file_;
};

}  // namespace waggle::agent
