// SPDX-License-Identifier: Apache-2.0
// What the watcher decides about a process, and what follows from it.
#include <fmt/format.h>

#include <algorithm>

#include "base/secrets.h"
#include "discover/process_reader.h"
#include "discover/watcher.h"

namespace waggle::discover {
namespace {

constexpr size_t kMaxAncestors = 32;

}  // namespace

// A process that no entry matches is selected when its parent is and the entry follows children.
Verdict Watcher::inherit(const Process& process, Verdict verdict) {
    if (verdict.kind != VerdictKind::NotMatched) return verdict;
    const Entry* parent = process.ppid == process.pid ? nullptr : find(process.ppid);
    if (parent == nullptr || !parent->verdict.is_selected() || !selectors_.follows_children(parent->verdict.entry))
        return verdict;
    return selectors_.follow(process, parent->verdict.entry, process.ppid);
}

// Once selected, a process stays so unless an exclude says otherwise.
void Watcher::evaluate(Entry& entry) {
    Verdict verdict = inherit(entry.process, selectors_.match(entry.process));
    if (verdict.kind == VerdictKind::NotMatched && entry.verdict.is_selected()) return;
    apply(entry, std::move(verdict));
}

void Watcher::apply(Entry& entry, Verdict verdict) {
    const bool was_selected = entry.target != nullptr;
    const bool is_other = verdict.kind != entry.verdict.kind || verdict.entry != entry.verdict.entry;
    entry.verdict = std::move(verdict);
    if (entry.verdict.is_selected()) {
        if (!was_selected || is_other) select(entry);
        return;
    }
    const bool was_barred = entry.is_barred;
    if (was_selected) drop_target(entry);
    if (entry.verdict.kind == VerdictKind::Excluded) {
        if (is_other || !was_barred) emit(ChangeKind::Excluded, entry);
    } else if (was_barred && !was_selected) {
        emit(ChangeKind::Removed, entry);
    }
}

void Watcher::select(Entry& entry) {
    if (!entry.target) ++target_count_;
    describe(entry);
    emit(ChangeKind::Added, entry);
    newly_selected_.push_back(entry.process.pid);
}

void Watcher::describe(Entry& entry) {
    Process& process = entry.process;
    const int index = entry.verdict.entry;
    const Entry* parent = find(process.ppid);
    const bool is_forked = parent != nullptr && parent->target && parent->verdict.entry == index &&
                           parent->has_program && entry.has_program && !entry.is_complete;
    Target target{.kernel_tgid = process.kernel_tgid,
                  .pid = process.pid,
                  .start_ns = process.start_ns,
                  .entry = index,
                  .reason = entry.verdict.reason};
    if (is_forked) {
        // Nothing was read of it yet: it is its parent still, and a worker of the same instance.
        target.resource = parent->target->resource;
        entry.has_final_language = parent->has_final_language;
        entry.name_from = parent->name_from;
        entry.is_complete = true;
    } else {
        complete(entry);
        const Relative self{&process, &program_of(entry, 0)};
        Description made = describer_.describe(self, ancestors(process), selectors_.entry(index));
        target.resource = std::move(made.resource);
        if (parent != nullptr && parent->target && *parent->target->resource == *target.resource)
            target.resource = parent->target->resource;
        entry.has_final_language = made.is_language_final;
        entry.name_from = std::move(made.name_from);
    }
    target.language = target.resource->language;
    entry.target = std::make_shared<const Target>(std::move(target));
    is_table_stale_ = true;
}

void Watcher::complete(Entry& entry) {
    if (!entry.is_complete) complete_process(procfs_, containers_, entry.process);
    entry.is_complete = true;
}

const Program& Watcher::program_of(Entry& entry, size_t depth) {
    if (entry.has_program) return entry.program;
    complete(entry);
    entry.has_program = true;
    if (depth < kMaxAncestors && runs_parents_program(entry.process)) {
        Entry* parent = find(entry.process.ppid);
        if (parent != nullptr && parent != &entry && parent->process.exe == entry.process.exe) {
            entry.program = program_of(*parent, depth + 1);
            return entry.program;
        }
    }
    entry.program = describer_.program(entry.process);
    return entry.program;
}

// The parent first, as far as naming can need them: to the container's or the unit's first process.
Ancestors Watcher::ancestors(const Process& process) {
    Ancestors ancestors;
    std::uint32_t pid = process.ppid;
    while (ancestors.size() < kMaxAncestors) {
        Entry* entry = find(pid);
        if (entry == nullptr || pid == process.pid) break;
        complete(*entry);
        const bool is_same_place =
            entry->process.container_id == process.container_id && entry->process.unit == process.unit;
        if (!is_same_place) break;
        ancestors.push_back({&entry->process, &program_of(*entry, 0)});
        if (entry->process.ppid == pid) break;
        pid = entry->process.ppid;
    }
    return ancestors;
}

// Looks at the children of what was selected since the last call, and at theirs.
void Watcher::settle() {
    if (newly_selected_.empty()) return;
    std::unordered_multimap<std::uint32_t, std::uint32_t> children;
    for (const auto& [pid, entry] : entries_)
        if (!entry.verdict.is_selected()) children.emplace(entry.process.ppid, pid);
    while (!newly_selected_.empty()) {
        const std::uint32_t parent = newly_selected_.back();
        newly_selected_.pop_back();
        const auto [from, to] = children.equal_range(parent);
        for (auto child = from; child != to; ++child) {
            Entry& entry = entries_.at(child->second);
            if (!entry.verdict.is_selected()) evaluate(entry);
        }
    }
}

std::vector<std::uint32_t> Watcher::pids_by_age() const {
    std::vector<std::pair<std::uint64_t, std::uint32_t>> by_age;
    for (const auto& [pid, entry] : entries_) by_age.emplace_back(entry.process.start_ns, pid);
    std::ranges::sort(by_age);
    std::vector<std::uint32_t> pids;
    for (const auto& [start, pid] : by_age) pids.push_back(pid);
    return pids;
}

// What the number is, if it is no process that could be selected.
std::string Watcher::explain_absence(std::uint32_t pid) const {
    const auto stat = procfs_.stat(pid);
    if (!stat) return fmt::format("there is no process {}", pid);
    if (stat->is_dead) return fmt::format("process {} has ended", pid);
    // Threads can be asked for, though they are not listed.
    if (const auto status = procfs_.status(pid); status && status->tgid != pid)
        return fmt::format("{} is a thread of process {}", pid, status->tgid);
    return fmt::format("process {} is not looked at: too many processes", pid);
}

std::vector<std::string> Watcher::explain(std::uint32_t pid) {
    if (kernel_threads_.contains(pid)) return {fmt::format("process {} is a kernel thread", pid)};
    Entry* entry = find(pid);
    if (entry == nullptr) return {explain_absence(pid)};
    const Process& process = entry->process;
    std::vector<std::string> lines;
    lines.push_back(
        fmt::format("process {}: {}", pid, process.argv.empty() ? process.exe : mask_arguments(process.argv)));
    lines.push_back(fmt::format("executable: {}", process.exe));
    for (const Listen& listen : process.listens)
        lines.push_back(listen.port != 0 ? fmt::format("listens on port {}", listen.port)
                                         : fmt::format("listens on {}", listen.path));
    constexpr const char* kVerdicts[] = {"selected", "excluded", "not selected"};
    lines.push_back(fmt::format("{}: {}", kVerdicts[static_cast<size_t>(entry->verdict.kind)], entry->verdict.reason));
    std::ranges::move(selectors_.explain(process), std::back_inserter(lines));
    if (!entry->target) return lines;
    const spans::Resource& resource = *entry->target->resource;
    lines.push_back(fmt::format("service: {} (from {})", resource.service_name, entry->name_from));
    lines.push_back(fmt::format("instance: {}", resource.instance_id));
    lines.push_back(fmt::format("language: {}", resource.language));
    return lines;
}

}  // namespace waggle::discover
