// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel_counters.h"

#include <string>

namespace waggle::agent {

KernelCounters::KernelCounters(const sensors::Capture& capture, metrics::SelfMetrics& self)
    : capture_(capture) {
    const auto lost = [&](std::string_view cause) -> metrics::SelfValue* {
        return &self.counter("waggle.events.lost", {{"cause", std::string(cause)}});
    };
    by_counter_.resize(WG_COUNTERS + 1);
    by_counter_[WG_COUNT_EVENTS] = &self.counter("waggle.events.emitted");
    by_counter_[WG_COUNT_RING_FULL] = lost("ring_full");
    by_counter_[WG_COUNT_RING_FULL_BYTES] =
        &self.counter("waggle.capture.lost", {{"cause", "ring_full"}}, "By");
    by_counter_[WG_COUNT_RING_FULL_CONNECTION] = lost("ring_full_connection");
    by_counter_[WG_COUNT_RING_FULL_PROCESS] = lost("ring_full_process");
    by_counter_[WG_COUNT_STORAGE_FAILED] = lost("socket_storage");
    by_counter_[WG_COUNT_READ_FAILED] = &self.counter("waggle.capture.read_failed");
    by_counter_[WG_COUNT_UNREADABLE] = &self.counter("waggle.capture.unreadable");
    by_counter_[WG_COUNT_STALE] = lost("agent_stopped");
    by_counter_[WG_COUNT_STALE_BYTES] =
        &self.counter("waggle.capture.lost", {{"cause", "agent_stopped"}}, "By");
    by_counter_[WG_COUNT_OFF] = lost("switched_off");
    by_counter_[WG_COUNT_TAIL_FAILED] = lost("tail_map_full");
    by_counter_[WG_COUNT_TARGET_FAILED] = lost("target_map_full");
    by_counter_[WG_COUNT_MUTED_BYTES] = &self.counter("waggle.capture.muted", {}, "By");
    by_counter_[WG_COUNT_SCRATCH_BUSY] = lost("interrupted");
    by_counter_[WG_COUNTERS] = lost("program_busy");
}

void KernelCounters::refresh() {
    const auto now = capture_.counters();
    for (std::size_t i = 0; i < now.size(); ++i)
        if (by_counter_[i]) by_counter_[i]->set(static_cast<std::int64_t>(now[i]));
    by_counter_[WG_COUNTERS]->set(static_cast<std::int64_t>(capture_.missed_runs()));
}

std::uint64_t KernelCounters::lost() const {
    return static_cast<std::uint64_t>(by_counter_[WG_COUNT_RING_FULL]->get() +
                                      by_counter_[WG_COUNT_STALE]->get());
}

}  // namespace waggle::agent
