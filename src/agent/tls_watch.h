// SPDX-License-Identifier: Apache-2.0
// TlsWatch: puts probes on the TLS libraries of every watched process: as soon as they are there, and again
// when a process speaks TLS through none that is known (a library loaded late). Discovery's thread drives it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "agent/tls_expected.h"
#include "agent/tls_files.h"
#include "agent/tls_links.h"
#include "base/log.h"
#include "discover/target.h"
#include "metrics/self_metrics.h"

namespace waggle::agent {

class TlsWatch {
  public:
    struct Options {
        bool looks_at_code;     // for libraries without symbols
        std::size_t own_links;  // TlsLinks::Settings::most_own
    };
    TlsWatch(sensors::TlsProbes& probes, proc::ProcFs procfs, const Options& options, metrics::SelfMetrics& self);

    // The processes that are watched now, and a look at those whose libraries may have come since.
    void update(const std::shared_ptr<const discover::TargetTable>& table);
    // How long until a new process is due to be looked at again, at most `most`.
    std::chrono::milliseconds until_due(std::chrono::milliseconds most) const;
    // Has every process been looked through that was there at the last update?
    bool has_looked() const;
    // From any thread: the process speaks TLS, and nothing of it is read.
    void ask(std::uint32_t pid);

  private:
    using Clock = std::chrono::steady_clock;
    // It has probes there, and was not seen to map it yet.
    struct Expected {
        proc::FileId program;  // of which it was expected
        proc::MappedCode library;
        TlsLinks::FileRef file;
    };
    struct Process {
        std::shared_ptr<const discover::Target> target;
        std::uint32_t kernel_tgid = 0;
        proc::FileId program;      // none where it cannot be read
        proc::MappedCodes mapped;  // as it was looked at last
        proc::MappedCodes left;    // of these: not looked into yet
        std::set<TlsLinks::FileRef> attached;
        std::vector<Expected> expected;  // of these
        Clock::time_point look_until;    // a program that has just begun loads its libraries meanwhile
        Clock::time_point next_look;
        std::chrono::milliseconds pause{};
        bool is_asked = false;
        bool is_new = false;    // a program that has just begun: it was not looked at yet
        bool is_short = false;  // of descriptors or memory: that was said and counted
    };
    void follow(const discover::TargetTable& table);
    void look_at(std::uint32_t pid, Process& process, Clock::time_point until);
    void expect(std::uint32_t pid, Process& process, Clock::time_point until);
    void note_loaded(std::uint32_t pid, Process& process, const OpenTlsFile& found, Clock::time_point now);
    void let_go_of_expected(std::uint32_t pid, Process& process);
    void miss(const Process& process, const Expected& expected);
    static bool is_due(const Process& process, Clock::time_point now);
    static void look_later(Process& process, std::chrono::milliseconds pause);
    // When there may be descriptors again; everything is looked at anew then.
    void run_short(std::uint32_t pid, Process& process, const std::string& what);
    // False: it may work later.
    bool attach(std::uint32_t pid, const OpenTlsFile& found, Clock::time_point until);
    void tell(std::uint32_t pid, const OpenTlsFile& found);
    void fail(std::uint32_t pid, const std::string& path, const Error& why);
    void tell_unread(std::uint32_t pid, const std::string& path, const std::string& why);
    void say(log::Level level, std::uint32_t pid, const std::function<std::string()>& text);

    sensors::TlsProbes& probes_;
    TlsFiles files_;
    TlsLinks links_;
    TlsExpected expected_;
    metrics::SelfValue& processes_;
    metrics::SelfValue& failures_;
    metrics::SelfValue& fingerprints_;
    metrics::SelfValue& examined_;
    metrics::SelfValue& remembered_;
    std::shared_ptr<const discover::TargetTable> table_;
    std::map<std::uint32_t, Process> by_pid_;
    std::set<std::string> said_;  // in the log
    std::mutex asked_mutex_;
    std::set<std::uint32_t> asked_;
};

}  // namespace waggle::agent
