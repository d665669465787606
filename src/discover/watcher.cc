// SPDX-License-Identifier: Apache-2.0
// The watcher's inputs and outputs. Scans are in watcher_scan.cc.
#include "discover/watcher.h"

#include <algorithm>

#include "base/clock.h"
#include "bpf/abi/rules.h"
#include "discover/process_reader.h"

namespace waggle::discover {
namespace {

// How long the target of an ended process stays in the table, for its last spans.
constexpr std::uint64_t kKeepEndedNs = 30'000'000'000;
constexpr size_t kMaxEnded = 4096;

// What could not be read of it, because we may not look into it or it ended meanwhile, is as the kernel side told.
Process completed(Process read, Process told) {
    if (read.exe.empty()) {
        read.exe = std::move(told.exe);
        read.program = told.program;
    }
    if (read.argv.empty()) read.argv = std::move(told.argv);
    if (read.netns == 0) read.netns = told.netns;
    return read;
}

}  // namespace

Result<std::unique_ptr<Watcher>> Watcher::create(const config::Config& config, proc::ProcFs procfs,
                                                 std::uint32_t own_pid, std::string full_host_name) {
    Selectors selectors = TRY(Selectors::compile(config, own_pid));
    return std::unique_ptr<Watcher>(
        new Watcher(config, std::move(selectors), std::move(procfs), own_pid, std::move(full_host_name)));
}

Watcher::Watcher(const config::Config& config, Selectors selectors, proc::ProcFs procfs, std::uint32_t own_pid,
                 std::string full_host_name)
    : procfs_(std::move(procfs)),
      own_pid_(own_pid),
      is_first_pid_namespace_(procfs_.shows_first_pid_namespace()),
      selectors_(std::move(selectors)),
      describer_(config, procfs_, std::move(full_host_name)),
      listeners_(procfs_) {
    listeners_.reset(selectors_.needs().unix_sockets);
}

Watcher::Entry* Watcher::find(std::uint32_t pid) {
    const auto found = entries_.find(pid);
    return found == entries_.end() ? nullptr : &found->second;
}

// Puts the process in, in the place of one that had its pid before.
Watcher::Entry* Watcher::add(Process process) {
    if (is_first_pid_namespace_) process.kernel_tgid = process.pid;
    const std::uint32_t pid = process.pid;
    remove(pid);
    if (entries_.size() >= kMaxProcesses) {
        ++over_capacity_;
        return nullptr;
    }
    Entry& entry = entries_[pid];
    entry.process = std::move(process);
    entry.scan = scan_;
    return &entry;
}

void Watcher::remove(std::uint32_t pid) {
    const auto found = entries_.find(pid);
    if (found == entries_.end()) return;
    drop_target(found->second);
    entries_.erase(found);
}

// The process ended: its target stays readable a while.
void Watcher::drop_target(Entry& entry) {
    if (!entry.target) return;
    emit(ChangeKind::Removed, entry);
    Target ended = *entry.target;
    ended.is_ended = true;
    ended_.push_back({std::make_shared<const Target>(std::move(ended)), monotonic_now()});
    if (ended_.size() > kMaxEnded) ended_.pop_front();
    entry.target.reset();
    --target_count_;
    is_table_stale_ = true;
}

void Watcher::on_exec(const wg_process_event& event) {
    if (event.pid == 0) return;
    Entry* known = find(event.pid);
    const bool is_same = known && is_same_start(known->process.start_ns, event.start_ns);
    // What it was selected for goes on through exec, as it would for a child.
    const Verdict before = is_same ? known->verdict : Verdict();
    const auto stat = procfs_.stat(event.pid);
    std::optional<Process> process;
    if (stat && is_same_start(stat->start_ns, event.start_ns)) process = read_process(procfs_, event.pid, *stat);
    process = process ? completed(std::move(*process), process_of_event(event)) : process_of_event(event);
    process->start_ns = event.start_ns;
    process->kernel_tgid = event.kernel_tgid;
    if (is_same) process->listens = known->process.listens;
    const bool is_barred = is_same && known->is_barred;
    std::shared_ptr<const Target> target;
    if (is_same) target = std::move(known->target);  // replaced below, not ended
    Entry* entry = add(std::move(*process));
    if (entry == nullptr) return correct(event);
    entry->target = std::move(target);
    entry->is_barred = is_barred;
    Verdict verdict = selectors_.match(entry->process);
    if (verdict.kind == VerdictKind::NotMatched && before.is_selected() && selectors_.follows_children(before.entry))
        verdict = selectors_.follow(entry->process, before.entry, event.pid);
    apply(*entry, inherit(entry->process, std::move(verdict)));
    correct(event);
    settle();
}

// A child is what its parent is until it calls exec. Children of processes that are not traced are
// of no interest before that.
void Watcher::on_fork(const wg_process_event& event) {
    if (event.pid == 0 || event.parent_pid == 0) return;
    if (const Entry* known = find(event.pid);
        known != nullptr && is_same_start(known->process.start_ns, event.start_ns))
        return;
    const Entry* parent = find(event.parent_pid);
    if (parent == nullptr || !parent->verdict.is_selected()) {
        remove(event.pid);
        return correct(event);
    }
    Process process = parent->process;
    process.pid = event.pid;
    process.kernel_tgid = event.kernel_tgid;
    process.ppid = event.parent_pid;
    process.start_ns = event.start_ns;
    const Program program = parent->program;
    const bool has_program = parent->has_program;
    Entry* entry = add(std::move(process));
    if (entry == nullptr) return correct(event);
    entry->program = program;
    entry->has_program = has_program;
    evaluate(*entry);
    correct(event);
}

void Watcher::on_exit(const wg_process_event& event) {
    const Entry* entry = find(event.pid);
    if (entry != nullptr && is_same_start(entry->process.start_ns, event.start_ns)) remove(event.pid);
}

void Watcher::on_listen(const wg_process_event& event) {
    if (event.pid == 0) return;
    Entry* entry = find(event.pid);
    if (entry == nullptr || !is_same_start(entry->process.start_ns, event.start_ns)) {
        const auto stat = procfs_.stat(event.pid);
        auto process = stat ? read_process(procfs_, event.pid, *stat) : std::nullopt;
        if (!process) return correct(event);
        process->start_ns = event.start_ns;
        process->kernel_tgid = event.kernel_tgid;
        entry = add(std::move(*process));
        if (entry == nullptr) return correct(event);
    }
    const Listen listen{.port = event.port};
    std::vector<Listen>& listens = entry->process.listens;
    if (std::ranges::find(listens, listen) == listens.end() && listens.size() < kMaxListens) listens.push_back(listen);
    evaluate(*entry);
    correct(event);
    settle();
}

// The kernel side decides before we can judge: it takes whoever may be wanted.
void Watcher::correct(const wg_process_event& event) {
    const Entry* entry = find(event.pid);
    const VerdictKind kind = entry == nullptr ? VerdictKind::NotMatched : entry->verdict.kind;
    if (kind == VerdictKind::Selected || event.target_flags == 0) return;
    if (kind == VerdictKind::Excluded && (event.target_flags & WG_TARGET_EXCLUDED) != 0) return;
    // A child of an excluded process is barred with it until it is another program.
    const bool is_child = event.head.type == WG_EVENT_FORK;
    if (is_child && (event.target_flags & WG_TARGET_EXCLUDED) != 0) return;
    changes_.push_back({.kind = kind == VerdictKind::Excluded ? ChangeKind::Excluded : ChangeKind::Removed,
                        .kernel_tgid = event.kernel_tgid,
                        .pid = event.pid});
}

Result<void> Watcher::reload(const config::Config& config) {
    selectors_ = TRY(Selectors::compile(config, own_pid_));
    describer_.reload(config);
    listeners_.reset(selectors_.needs().unix_sockets);
    // What was decided before is of other selectors.
    for (auto& [pid, entry] : entries_) {
        entry.has_listens = false;
        entry.verdict = {};
    }
    // Parents first, so that children can follow.
    for (const std::uint32_t pid : pids_by_age()) {
        Entry& entry = entries_.at(pid);
        apply(entry, inherit(entry.process, selectors_.match(entry.process)));
    }
    rescan();
    return {};
}

void Watcher::learn_kernel_tgid(std::uint32_t pid, std::uint32_t kernel_tgid) {
    Entry* entry = find(pid);
    if (entry == nullptr || entry->process.kernel_tgid == kernel_tgid) return;
    entry->process.kernel_tgid = kernel_tgid;
    if (entry->verdict.kind == VerdictKind::Excluded) emit(ChangeKind::Excluded, *entry);
    if (!entry->target) return;
    Target target = *entry->target;
    target.kernel_tgid = kernel_tgid;
    entry->target = std::make_shared<const Target>(std::move(target));
    is_table_stale_ = true;
    emit(ChangeKind::Added, *entry);
}

void Watcher::emit(ChangeKind kind, Entry& entry) {
    const bool is_added = kind == ChangeKind::Added;
    entry.is_barred = kind == ChangeKind::Excluded;
    changes_.push_back({.kind = kind,
                        .kernel_tgid = entry.process.kernel_tgid,
                        .pid = entry.process.pid,
                        .follows_children = is_added && selectors_.follows_children(entry.verdict.entry)});
}

std::vector<Change> Watcher::take_changes() {
    publish();
    return std::exchange(changes_, {});
}

void Watcher::publish() {
    const std::uint64_t now = monotonic_now();
    while (!ended_.empty() && now - ended_.front().at_ns > kKeepEndedNs) {
        ended_.pop_front();
        is_table_stale_ = true;
    }
    if (!is_table_stale_) return;
    is_table_stale_ = false;
    std::vector<std::shared_ptr<const Target>> targets;
    targets.reserve(target_count_ + ended_.size());
    for (const auto& [pid, entry] : entries_)
        if (entry.target) targets.push_back(entry.target);
    for (auto ended = ended_.rbegin(); ended != ended_.rend(); ++ended) targets.push_back(ended->target);
    auto table = std::make_shared<const TargetTable>(std::move(targets));
    const std::lock_guard lock(table_mutex_);
    table_ = std::move(table);
}

std::shared_ptr<const TargetTable> Watcher::table() const {
    const std::lock_guard lock(table_mutex_);
    return table_;
}

std::vector<Target> Watcher::targets() const {
    std::vector<Target> targets;
    for (const auto& [pid, entry] : entries_)
        if (entry.target) targets.push_back(*entry.target);
    std::ranges::sort(targets, {}, &Target::pid);
    return targets;
}

WatcherStats Watcher::stats() const {
    return {.processes = entries_.size(), .targets = target_count_, .over_capacity = over_capacity_};
}

}  // namespace waggle::discover
