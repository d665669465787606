// SPDX-License-Identifier: Apache-2.0
#include "sensors/copies.h"

#include <algorithm>
#include <array>

#include "base/log.h"

namespace waggle::sensors {
namespace {

// Enough that threads preempted in all but the last at once are rare (docs/platforms.md).
constexpr std::uint32_t kCopies = 3;

// Programs that are not run for a call: another copy does the same again or finds it done.
constexpr std::array<std::string_view, 6> kNotOfCalls = {"send_begin", "arrival",    "set_state",
                                                         "destroyed",  "cleaned_up", "io_complete"};

}  // namespace

std::uint32_t choose_copies(std::uint32_t wanted) {
    if (wanted == 0) wanted = kernel_preempts_tracepoints() ? kCopies : 1;
    return std::min<std::uint32_t>(wanted, WG_COPIES);
}

std::vector<std::function<void()>> Copies::prepare(const SensorSpec& spec, const Sensor& first,
                                                   const LoadOptions& options, std::string_view chosen) {
    LoadOptions shared = options;
    for (const Alternative& alternative : spec.alternatives)
        if (alternative.name != chosen) shared.disabled.emplace_back(alternative.name);
    first.share_maps(shared);
    shared.is_beside_others = true;
    others_.resize(options.settings.copies - 1);
    std::vector<std::function<void()>> loads;
    for (std::uint32_t copy = 1; copy < options.settings.copies; ++copy) {
        shared.settings.copy = copy;
        loads.emplace_back([&spec, own = shared, &other = others_[copy - 1]] {
            SensorReport report;
            other = sensors::load(spec, own, report);
            if (!other)
                log::warn("{}: copy {} of the programs cannot be loaded, more calls may be missed: {}", spec.name,
                          own.settings.copy, report.reasons.empty() ? "" : report.reasons.back());
        });
    }
    return loads;
}

// A copy's place is its number.
void Copies::settle() { others_.erase(std::find(others_.begin(), others_.end(), nullptr), others_.end()); }

void Copies::detach() {
    for (const auto& other : others_) other->detach();
}

std::vector<MissedRuns> Copies::missed_runs(const Sensor& first) const {
    std::vector<MissedRuns> all;
    all.push_back(first.missed_runs());
    for (const auto& other : others_) all.push_back(other->missed_runs());
    return all;
}

std::uint64_t missed_by_all(std::span<const MissedRuns> by_copy, std::span<const std::uint64_t> counters) {
    if (by_copy.empty()) return 0;
    // Each copy has run for a call or missed it: that makes the same number of calls for all of them.
    std::uint64_t least = UINT64_MAX;
    for (std::size_t copy = 0; copy < by_copy.size(); ++copy) {
        std::uint64_t of_calls = 0;
        for (const auto& [program, runs] : by_copy[copy])
            if (std::ranges::find(kNotOfCalls, program) == kNotOfCalls.end()) of_calls += runs;
        if (by_copy.size() > 1) {
            const std::uint64_t all = of_calls + counters[WG_COUNT_RUNS + copy];
            of_calls = all - std::min(all, counters[WG_COUNT_CALLS]);
        }
        least = std::min(least, of_calls);
    }
    std::uint64_t missed = least;
    for (const std::string_view program : kNotOfCalls) {
        least = UINT64_MAX;
        for (const MissedRuns& copy : by_copy) {
            const auto found = copy.find(program);
            least = std::min(least, found == copy.end() ? 0 : found->second);
        }
        missed += least;
    }
    return missed;
}

}  // namespace waggle::sensors
