// SPDX-License-Identifier: Apache-2.0
// Watcher: keeps the list of processes and says which are traced. A state machine without threads:
// the discovery thread feeds it scans and kernel events, then takes the changes. Only table() may
// be called from other threads. Bounded: sizes and work per call have caps, what is over them is
// counted.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "bpf/abi/events.h"
#include "config/config.h"
#include "discover/describe.h"
#include "discover/listeners.h"
#include "discover/process.h"
#include "discover/selector.h"
#include "discover/target.h"
#include "proc/container.h"
#include "proc/procfs.h"

namespace waggle::discover {

enum class ChangeKind : std::uint8_t { Added, Removed, Excluded };

// What the kernel's process tables must learn.
struct Change {
    ChangeKind kind = ChangeKind::Added;
    std::uint32_t kernel_tgid = 0;  // 0: unknown; the Change comes again after learn_kernel_tgid
    std::uint32_t pid = 0;
    bool follows_children = false;  // Added: processes it forks are traced from their first byte
};

struct WatcherStats {
    std::uint64_t processes = 0;
    std::uint64_t targets = 0;
    std::uint64_t over_capacity = 0;  // processes not looked at since the table was full
};

class Watcher {
  public:
    static constexpr size_t kMaxProcesses = 65536;

    // Fails when a selector does not compile. full_host_name: as Describer takes it.
    static Result<std::unique_ptr<Watcher>> create(const config::Config& config, proc::ProcFs procfs,
                                                   std::uint32_t own_pid, std::string full_host_name = {});

    // Events tell of every exec, fork, exit and TCP listener; said before start().
    void set_has_events(bool has_events) { has_events_ = has_events; }
    void start();  // the first scan
    void on_exec(const wg_process_event& event);
    void on_fork(const wg_process_event& event);
    void on_exit(const wg_process_event& event);
    void on_listen(const wg_process_event& event);
    // Finds what no event told: new listeners, missed and vanished processes.
    void rescan();
    // Nothing tells of UNIX listeners: looks for those of processes that began a few seconds before `boot_ns` at most.
    void look_at_young(std::uint64_t boot_ns);
    // New selectors; on failure the old ones stay.
    Result<void> reload(const config::Config& config);
    void learn_kernel_tgid(std::uint32_t pid, std::uint32_t kernel_tgid);

    // What changed since the last call, and publishes the table that goes with it.
    std::vector<Change> take_changes();
    std::shared_ptr<const TargetTable> table() const;
    std::vector<Target> targets() const;  // living ones, by pid
    std::vector<std::string> explain(std::uint32_t pid);
    bool knows(std::uint32_t pid) const { return entries_.contains(pid) || kernel_threads_.contains(pid); }
    WatcherStats stats() const;

  private:
    struct Entry {
        Process process;
        Verdict verdict;
        Program program;                       // when has_program
        std::shared_ptr<const Target> target;  // of a selected process
        std::string name_from;
        bool has_program = false;
        bool has_final_language = false;
        bool has_listens = false;  // were its descriptors looked at?
        bool is_complete = false;  // complete_process was done
        bool is_barred = false;    // the kernel side was told that it is excluded
        std::uint32_t scan = 0;    // the last scan that saw it
    };
    static constexpr size_t kMaxListens = 256;  // of one process

    Watcher(const config::Config& config, Selectors selectors, proc::ProcFs procfs, std::uint32_t own_pid,
            std::string full_host_name);

    Entry* find(std::uint32_t pid);
    Entry* add(Process process);
    void remove(std::uint32_t pid);
    void drop_target(Entry& entry);
    void emit(ChangeKind kind, Entry& entry);
    void correct(const wg_process_event& event);
    void publish();

    void scan_process(std::uint32_t pid, std::vector<std::uint32_t>& fresh);
    void scan_listeners(const std::unordered_set<std::uint64_t>* namespaces = nullptr);
    void detect_late_languages();

    Verdict inherit(const Process& process, Verdict verdict);
    void evaluate(Entry& entry);
    void apply(Entry& entry, Verdict verdict);
    void select(Entry& entry);
    void describe(Entry& entry);
    void complete(Entry& entry);
    const Program& program_of(Entry& entry, size_t depth);
    Ancestors ancestors(const Process& process);
    void settle();
    std::string explain_absence(std::uint32_t pid) const;
    std::vector<std::uint32_t> pids_by_age() const;

    proc::ProcFs procfs_;
    proc::ContainerNames containers_{procfs_};
    std::uint32_t own_pid_;
    bool is_first_pid_namespace_;
    Selectors selectors_;
    Describer describer_;
    Listeners listeners_;
    std::unordered_map<std::uint32_t, Entry> entries_;
    std::unordered_map<std::uint32_t, std::uint32_t> kernel_threads_;  // pid → last scan that saw it
    std::vector<std::uint32_t> newly_selected_;                        // whose children are to be looked at
    std::vector<Change> changes_;

    struct Ended {
        std::shared_ptr<const Target> target;
        std::uint64_t at_ns = 0;
    };
    std::deque<Ended> ended_;  // oldest first
    bool is_table_stale_ = false;
    std::uint32_t scan_ = 0;
    bool has_events_ = false;
    size_t target_count_ = 0;
    std::uint64_t over_capacity_ = 0;

    mutable std::mutex table_mutex_;  // held only to copy the pointer
    std::shared_ptr<const TargetTable> table_ = std::make_shared<const TargetTable>();
};

}  // namespace waggle::discover
