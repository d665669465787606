// SPDX-License-Identifier: Apache-2.0
// The watcher's own look at /proc: everything at the start, later what the events did not tell.
#include <unistd.h>

#include <algorithm>

#include "base/clock.h"
#include "discover/process_reader.h"
#include "discover/watcher.h"

namespace waggle::discover {
namespace {

// Where events tell who listens, the TCP tables are read again in every so many scans: reading them costs
// the kernel a look at all connections.
constexpr std::uint64_t kTcpScans = 60;
// A runtime has loaded its libraries after this time.
constexpr std::uint64_t kSettledNs = 10'000'000'000;
// Most servers listen by then.
constexpr std::uint64_t kYoungNs = 5'000'000'000;

bool is_same_target(const Target& a, const Target& b) {
    return a.kernel_tgid == b.kernel_tgid && a.entry == b.entry && a.reason == b.reason && a.language == b.language &&
           *a.resource == *b.resource;
}

// It is there, and nothing can be read of it: no descriptor is left. Looking for it needs none.
bool is_unreadable(const proc::ProcFs& procfs, std::uint32_t pid) {
    return ::access(procfs.path(pid, "").c_str(), F_OK) == 0 && !procfs.stat(pid);
}

}  // namespace

void Watcher::start() { rescan(); }

void Watcher::rescan() {
    ++scan_;
    std::vector<std::uint32_t> fresh;
    for (const std::uint32_t pid : procfs_.pids()) scan_process(pid, fresh);
    std::vector<std::uint32_t> gone;
    for (const auto& [pid, entry] : entries_)
        if (entry.scan != scan_ && !is_unreadable(procfs_, pid)) gone.push_back(pid);
    for (const std::uint32_t pid : gone) remove(pid);
    std::erase_if(kernel_threads_, [&](const auto& thread) { return thread.second != scan_; });
    if (selectors_.needs().ports) {
        listeners_.begin_scan(!has_events_ || scan_ % kTcpScans == 1);
        scan_listeners();
        listeners_.end_scan();
    }
    // Parents before children; equal start times are settled below.
    std::ranges::sort(fresh, {}, [&](std::uint32_t pid) { return entries_.at(pid).process.start_ns; });
    for (const std::uint32_t pid : fresh) evaluate(entries_.at(pid));
    settle();
    detect_late_languages();
}

void Watcher::scan_process(std::uint32_t pid, std::vector<std::uint32_t>& fresh) {
    if (const auto thread = kernel_threads_.find(pid); thread != kernel_threads_.end()) {
        thread->second = scan_;
        // Its pid may be another's by now.
        if (scan_ % 16 != 0) return;
    }
    const auto stat = procfs_.stat(pid);
    if (!stat || stat->is_dead) return;
    if (stat->is_kernel_thread) {
        if (kernel_threads_.size() < kMaxProcesses) kernel_threads_[pid] = scan_;
        return;
    }
    kernel_threads_.erase(pid);
    Entry* known = find(pid);
    if (known != nullptr && is_same_start(known->process.start_ns, stat->start_ns)) {
        known->scan = scan_;
        known->process.ppid = stat->ppid;
        const auto file = procfs_.exe_file(pid);
        if (!file || *file == known->process.program) return;
    }
    auto process = read_process(procfs_, pid, *stat);
    if (!process) return;
    if (known != nullptr && known->scan == scan_) {
        // An exec that no event told of.
        process->start_ns = known->process.start_ns;
        process->kernel_tgid = known->process.kernel_tgid;
    }
    if (add(std::move(*process)) != nullptr) fresh.push_back(pid);
}

void Watcher::look_at_young(std::uint64_t boot_ns) {
    if (!selectors_.needs().unix_sockets) return;
    std::unordered_set<std::uint64_t> namespaces;
    for (const auto& [pid, entry] : entries_)
        if (entry.verdict.kind == VerdictKind::NotMatched && boot_ns < entry.process.start_ns + kYoungNs)
            namespaces.insert(entry.process.netns);
    if (namespaces.empty()) return;
    listeners_.begin_scan(false);
    scan_listeners(&namespaces);
    settle();
}

// Of all processes, or of those in these network namespaces.
void Watcher::scan_listeners(const std::unordered_set<std::uint64_t>* namespaces) {
    std::vector<std::uint32_t> changed;
    for (auto& [pid, entry] : entries_) {
        if (namespaces && !namespaces->contains(entry.process.netns)) continue;
        const bool is_first_look = !std::exchange(entry.has_listens, true);
        if (!listeners_.has_new(entry.process) && !is_first_look) continue;
        std::vector<Listen> listens = listeners_.of(entry.process);
        if (listens.empty() && is_unreadable(procfs_, pid)) {
            entry.has_listens = false;  // look again
            continue;
        }
        if (listens.size() > kMaxListens) listens.resize(kMaxListens);
        if (listens == entry.process.listens) continue;
        entry.process.listens = std::move(listens);
        changed.push_back(pid);
    }
    for (const std::uint32_t pid : changed) evaluate(entries_.at(pid));
}

void Watcher::detect_late_languages() {
    const std::uint64_t now = clock_ns(CLOCK_BOOTTIME);
    for (auto& [pid, entry] : entries_) {
        if (!entry.target || entry.has_final_language) continue;
        // Who follows the table looks at a new target as at a new process.
        const auto before = entry.target;
        const bool was_stale = is_table_stale_;
        describe(entry);
        if (is_same_target(*entry.target, *before)) {
            entry.target = before;
            is_table_stale_ = was_stale;
        }
        if (now > entry.process.start_ns + kSettledNs) entry.has_final_language = true;
    }
}

}  // namespace waggle::discover
