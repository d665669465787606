// SPDX-License-Identifier: Apache-2.0
#include "agent/tls_watch.h"

#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include <fmt/format.h>

#include "base/log.h"
#include "discover/process.h"

namespace waggle::agent {
namespace {

using namespace std::chrono_literals;

constexpr auto kYoung = 2s;
constexpr auto kLargePause = 50ms;                      // while a large file is looked through
constexpr auto kLook = 10ms;                            // then processes that have begun meanwhile are heard of first
constexpr std::chrono::milliseconds kFirstPause = 5ms;  // a program that has just begun has its libraries in a few
constexpr std::chrono::milliseconds kYoungPause = 200ms;
constexpr std::chrono::milliseconds kShortPause = 500ms;  // until there may be descriptors again
constexpr std::chrono::milliseconds kMaxShortPause = 10'000ms;
constexpr std::chrono::milliseconds kMaxPause = 60'000ms;  // of a process that is asked about and has nothing new

// As processes' starts are told.
std::uint64_t boot_now() {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

// As systemd tells services.
std::string cache_folder() {
    const char* folder = std::getenv("CACHE_DIRECTORY");
    return folder ? folder : "";
}

}  // namespace

TlsWatch::TlsWatch(sensors::TlsProbes& probes, proc::ProcFs procfs, const Options& options, metrics::SelfMetrics& self)
    : probes_(probes),
      files_(std::move(procfs), cache_folder(), options.looks_at_code),
      links_(
          probes, files_.procfs(),
          {.most_own = options.own_links,
           .is_selected = [this](std::uint32_t pid) { return by_pid_.contains(pid); },
           .found = [this](std::uint32_t pid, const OpenTlsFile& found) { tell(pid, found); },
           .lost =
               [this](std::uint32_t pid, const std::string& path, const std::string& why) {
                   say(log::Level::Warn, pid,
                       [&] { return fmt::format("TLS through {} is not read any longer: {}", path, why); });
               },
           .failed = [this](std::uint32_t pid, const std::string& path, const Error& why) { fail(pid, path, why); }}),
      processes_(self.gauge("waggle.tls.processes")),
      failures_(self.counter("waggle.tls.attach.failed")),
      fingerprints_(self.counter("waggle.tls.fingerprints")),
      examined_(self.counter("waggle.tls.files.examined")),
      remembered_(self.counter("waggle.tls.files.remembered")) {
    files_.ask_for_open_files([this](const proc::MappedCode& mapped) { return links_.open(mapped); });
}

void TlsWatch::ask(std::uint32_t pid) {
    std::lock_guard lock(asked_mutex_);
    asked_.insert(pid);
}

void TlsWatch::follow(const discover::TargetTable& table) {
    const Clock::time_point now = Clock::now();
    std::vector<sensors::TlsProbes::Gone> gone;
    for (auto at = by_pid_.begin(); at != by_pid_.end();) {
        const discover::Target* target = table.find(at->first);
        const bool is_here =
            target && !target->is_ended && discover::is_same_start(target->start_ns, at->second.target->start_ns);
        if (!is_here) {
            if (!at->second.attached.empty()) gone.push_back({at->first, at->second.kernel_tgid});
            for (const auto& file : at->second.attached) links_.remove(at->first, file);
            for (const Expected& expected : at->second.expected) miss(at->second, expected);
        }
        at = is_here ? std::next(at) : by_pid_.erase(at);
    }
    if (!gone.empty()) probes_.detach(gone);
    for (const auto& target : table) {
        if (target->is_ended || !target->kernel_tgid) continue;
        Process& process = by_pid_[target->pid];
        if (process.target == target) continue;
        const bool has_changed = process.target != nullptr;  // by an exec, perhaps
        process.target = target;
        process.kernel_tgid = target->kernel_tgid;
        const bool is_young = has_changed || boot_now() < target->start_ns + std::chrono::nanoseconds(kYoung).count();
        process.left.clear();
        process.mapped.clear();  // or what was left would not be looked into again
        process.look_until = is_young ? now + kYoung : now;
        process.next_look = now;
        process.pause = {};
        process.is_asked = true;  // at least once
        const proc::FileId program = files_.procfs().exe_file(target->pid).value_or(proc::FileId());
        process.is_new = is_young && program != process.program;  // it has just begun, or executed another one
        process.program = program;
    }
}

void TlsWatch::update(const std::shared_ptr<const discover::TargetTable>& table) {
    if (table && table != table_) follow(*table);
    table_ = table;
    std::set<std::uint32_t> asked;
    {
        std::lock_guard lock(asked_mutex_);
        asked.swap(asked_);
    }
    for (const std::uint32_t pid : asked)
        if (const auto found = by_pid_.find(pid); found != by_pid_.end()) found->second.is_asked = true;
    const Clock::time_point now = Clock::now();
    for (auto& [pid, process] : by_pid_)
        if (now >= process.next_look && is_due(process, now)) look_at(pid, process, now + kLook);
    links_.go_on(now + kLook);
    const auto is_loaded = [&](std::uint32_t pid, const TlsLinks::FileRef& file) {
        return std::ranges::find(by_pid_.at(pid).expected, file, &Expected::file) == by_pid_.at(pid).expected.end();
    };
    processes_.set(
        std::ranges::count_if(links_.read(is_loaded), [&](std::uint32_t pid) { return by_pid_.at(pid).left.empty(); }));
    examined_.set(static_cast<std::int64_t>(files_.examined()));
    remembered_.set(static_cast<std::int64_t>(files_.remembered()));
}

std::chrono::milliseconds TlsWatch::until_due(std::chrono::milliseconds most) const {
    if (links_.is_busy()) return std::min(most, 1ms);
    const Clock::time_point now = Clock::now();
    for (const auto& [pid, process] : by_pid_)
        if (is_due(process, now))
            most = std::min(most, std::max(1ms, std::chrono::ceil<std::chrono::milliseconds>(process.next_look - now)));
    return most;
}

bool TlsWatch::is_due(const Process& process, Clock::time_point now) {
    return process.is_asked || now < process.look_until || !process.expected.empty();
}

bool TlsWatch::has_looked() const {
    return std::ranges::none_of(by_pid_, [](const auto& entry) { return entry.second.is_asked; });
}

// It is read.
void TlsWatch::tell(std::uint32_t pid, const OpenTlsFile& found) {
    if (found.file->is_by_code()) fingerprints_.add(1);
    if (const auto process = by_pid_.find(pid); process != by_pid_.end()) process->second.is_short = false;
    say(log::Level::Info, pid,
        [&] { return fmt::format("reading TLS through {} ({})", found.path, found.file->library); });
}

bool TlsWatch::attach(std::uint32_t pid, const OpenTlsFile& found, Clock::time_point until) {
    if (!found.file->failure.empty()) {
        tell_unread(pid, found.path, found.file->failure);
        return true;
    }
    const auto done = links_.add(pid, found, until);
    if (!done) fail(pid, found.path, done.error());
    if (done && *done == TlsLinks::Added::Read) tell(pid, found);
    return done || !is_shortage(done.error().code);
}

void TlsWatch::fail(std::uint32_t pid, const std::string& path, const Error& why) {
    const auto is_gone = [&] {
        const auto mapped = files_.procfs().mapped_code(pid);
        return mapped ? mapped->empty() : !is_shortage(mapped.error().code);
    };
    if (why.code == ESRCH && is_gone()) {
        log::debug("process {}: gone before TLS through {} could be read", pid, path);
        return;
    }
    const auto process = by_pid_.find(pid);
    const bool is_told =
        is_shortage(why.code) && process != by_pid_.end() && std::exchange(process->second.is_short, true);
    if (is_told) return;
    failures_.add(1);
    tell_unread(pid, path, why.message);
}

void TlsWatch::tell_unread(std::uint32_t pid, const std::string& path, const std::string& why) {
    say(log::Level::Warn, pid, [&] { return fmt::format("TLS through {} cannot be read: {}", path, why); });
}

// Of the first process: a server may start one for each request.
void TlsWatch::say(log::Level level, std::uint32_t pid, const std::function<std::string()>& text) {
    constexpr std::size_t kMostSaid = 4096;
    if (!log::enabled(level)) return;  // nor is debug
    std::string what = text();
    const std::string line = fmt::format("process {}: {}", pid, what);
    const bool is_news = said_.size() < kMostSaid && said_.insert(std::move(what)).second;
    if (is_news)
        log::write(level, line);
    else
        log::debug("{}", line);
}

void TlsWatch::look_later(Process& process, std::chrono::milliseconds pause) {
    process.next_look = Clock::now() + pause;
    process.is_asked = true;
}

void TlsWatch::run_short(std::uint32_t pid, Process& process, const std::string& what) {
    if (!std::exchange(process.is_short, true)) {
        failures_.add(1);
        say(log::Level::Warn, pid, [&] { return fmt::format("TLS libraries are looked for again later: {}", what); });
    }
    process.left.clear();
    process.mapped.clear();
    process.pause = std::clamp(2 * process.pause, kShortPause, kMaxShortPause);
    look_later(process, process.pause);
}

// Probes where others of its program have loaded a library, before it does.
void TlsWatch::expect(std::uint32_t pid, Process& process, Clock::time_point until) {
    const proc::MappedCodes libraries = expected_.of(process.program);
    const TlsFiles::Found found = files_.among(pid, libraries, until);
    if (found.is_short) return;
    for (const proc::MappedCode& library : libraries) {
        const auto file = std::ranges::find_if(found.files, [&](const OpenTlsFile& open) {
            return open.inode == library.inode && open.path == library.path;
        });
        const bool is_nowhere = file == found.files.end() && std::ranges::find(found.left, library) == found.left.end();
        if (is_nowhere) expected_.miss(process.program, library);
        if (file == found.files.end() || process.attached.contains(file->file)) continue;
        // It may do without: what fails is no failure, and tried again when it is there.
        if (!links_.has_room_for_more(file->file) || !links_.add(pid, *file, until)) continue;
        process.attached.insert(file->file);
        process.expected.push_back({process.program, library, file->file});
    }
}

void TlsWatch::note_loaded(std::uint32_t pid, Process& process, const OpenTlsFile& found, Clock::time_point now) {
    if (std::erase_if(process.expected, [&](const Expected& expected) { return expected.file == found.file; }))
        tell(pid, found);
    const bool is_soon = now < process.look_until && process.program != proc::FileId();
    if (is_soon && found.file->failure.empty() && !found.file->is_by_code())
        expected_.learn(process.program, {.range = {}, .path = found.path, .inode = found.inode});
}

// It has had the time to load them.
void TlsWatch::let_go_of_expected(std::uint32_t pid, Process& process) {
    for (const Expected& expected : std::exchange(process.expected, {})) {
        miss(process, expected);
        links_.let_go(pid, expected.file);
        process.attached.erase(expected.file);
    }
}

// Another program that it has executed meanwhile says nothing of the first one.
void TlsWatch::miss(const Process& process, const Expected& expected) {
    if (expected.program == process.program) expected_.miss(expected.program, expected.library);
}

void TlsWatch::look_at(std::uint32_t pid, Process& process, Clock::time_point until) {
    if (std::exchange(process.is_new, false)) expect(pid, process, until);
    const std::size_t before = process.attached.size();
    const Clock::time_point now = Clock::now();
    if (process.left.empty()) {
        auto read = files_.procfs().mapped_code(pid);
        if (!read && is_shortage(read.error().code)) return run_short(pid, process, read.error().message);
        proc::MappedCodes mapped = std::move(read).value_or(proc::MappedCodes());
        if (mapped != process.mapped) process.left = mapped;
        process.mapped = std::move(mapped);
    }
    TlsFiles::Found found = files_.among(pid, process.left, until);
    process.left = std::move(found.left);
    for (const OpenTlsFile& file : found.files) {
        note_loaded(pid, process, file, now);
        if (process.attached.insert(file.file).second && !attach(pid, file, until)) {
            process.attached.erase(file.file);
            found.is_short = true;
        }
    }
    if (found.is_short) return run_short(pid, process, "not all libraries can be opened");
    process.is_short = false;
    if (!process.left.empty()) return look_later(process, found.waits_for_large ? kLargePause : 0ms);
    if (now >= process.look_until) let_go_of_expected(pid, process);
    // Each look in vain makes the next one wait longer.
    process.pause = process.attached.size() > before ? kFirstPause
                                                     : std::clamp(2 * process.pause, kFirstPause,
                                                                  now < process.look_until ? kYoungPause : kMaxPause);
    process.is_asked = false;
    process.next_look = Clock::now() + process.pause;
}

}  // namespace waggle::agent
