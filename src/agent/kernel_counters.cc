// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel_counters.h"

#include <algorithm>
#include <string>

namespace waggle::agent {

KernelCounters::KernelCounters(const sensors::Capture& capture, metrics::SelfMetrics& self) : capture_(capture) {
    const auto lost = [&](std::string_view cause) -> metrics::SelfValue* {
        return &self.counter("waggle.events.lost", {{"cause", std::string(cause)}});
    };
    by_counter_.resize(WG_COUNTERS);
    const auto passed_over = [&](wg_counter first, const char* cause) {
        by_counter_[first] = lost(cause);
        by_counter_[first + 1] = &self.counter("waggle.capture.lost", {{"cause", cause}}, "By");
        by_counter_[first + 2] = &self.counter("waggle.requests.missed", {{"cause", cause}});
    };
    passed_over(WG_COUNT_RING_FULL, "ring_full");
    passed_over(WG_COUNT_STALE, "agent_stopped");
    passed_over(WG_COUNT_OFF, "switched_off");
    passed_over(WG_COUNT_SCRATCH_BUSY, "interrupted");
    passed_over(WG_COUNT_NO_MEMORY, "memory_limit");
    by_counter_[WG_COUNT_EVENTS] = &self.counter("waggle.events.emitted");
    by_counter_[WG_COUNT_RING_FULL_CONNECTION] = lost("ring_full_connection");
    by_counter_[WG_COUNT_RING_FULL_CLOSE] = lost("ring_full_close");
    by_counter_[WG_COUNT_RING_FULL_PROCESS] = lost("ring_full_process");
    by_counter_[WG_COUNT_STORAGE_FAILED] = lost("socket_storage");
    by_counter_[WG_COUNT_READ_FAILED] = &self.counter("waggle.capture.read_failed");
    by_counter_[WG_COUNT_UNREADABLE] = &self.counter("waggle.capture.unreadable");
    by_counter_[WG_COUNT_TAIL_FAILED] = lost("tail_map_full");
    by_counter_[WG_COUNT_TARGET_FAILED] = lost("target_map_full");
    by_counter_[WG_COUNT_MUTED_BYTES] = &self.counter("waggle.capture.muted", {}, "By");
    by_counter_[WG_COUNT_COUNTED] = &self.counter("waggle.events.counted");
    by_counter_[WG_COUNT_COUNTED_BYTES] = &self.counter("waggle.capture.counted", {}, "By");
    by_counter_[WG_COUNT_COUNTED_TURNS] = &self.counter("waggle.requests.counted");
    by_counter_[WG_COUNT_ROLELESS_TURNS] = &self.counter("waggle.requests.missed", {{"cause", "role_unknown"}});
    by_counter_[WG_COUNT_TALLY_FAILED] = lost("tally_map_full");
    by_counter_[WG_COUNT_SAMPLED_RUNS] = &self.counter("waggle.probe.timed.runs");
    by_counter_[WG_COUNT_SAMPLED_NS] = &self.counter("waggle.probe.timed.duration", {}, "ns");
    missed_of_traffic_ = lost("program_busy");
    missed_of_processes_ = lost("process_program_busy");
}

void KernelCounters::refresh() {
    const std::lock_guard lock(mutex_);
    // Others count for some of the same causes.
    const auto now = capture_.counters();
    for (std::size_t i = 0; i < now.size(); ++i)
        if (by_counter_[i]) by_counter_[i]->add(static_cast<std::int64_t>(now[i] - last_[i]));
    last_ = now;
    // What is under way while it is read makes it too low.
    const sensors::Capture::Missed missed = capture_.missed_runs();
    missed_runs_ = std::max(missed_runs_, missed.of_traffic);
    missed_of_traffic_->set(static_cast<std::int64_t>(missed_runs_));
    missed_of_processes_->set(static_cast<std::int64_t>(missed.of_processes));
}

}  // namespace waggle::agent
