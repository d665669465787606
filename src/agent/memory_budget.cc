// SPDX-License-Identifier: Apache-2.0
#include "agent/memory_budget.h"

#include <malloc.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "base/log.h"
#include "base/strings.h"

// There where a sanitizer is linked in: its own memory is none of the agent's.
extern "C" std::size_t __sanitizer_get_current_allocated_bytes() __attribute__((weak));

namespace waggle::agent {
namespace {

constexpr std::uint64_t kMapsNs = 10'000'000'000;  // between two readings of the maps' sizes
constexpr std::uint64_t kTrimNs = 1'000'000'000;
// Socket storage of a connection, with what the kernel puts around it.
constexpr std::uint64_t kConnectionBytes = 352;

// "key:  123" of a file in /proc, 0 when it is not there.
std::uint64_t number_of(const std::string& path, std::string_view key) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        if (!std::string_view(line).starts_with(key)) continue;
        const std::string_view value = trim(std::string_view(line).substr(key.size()));
        return parse_int<std::uint64_t>(value.substr(0, value.find(' '))).value_or(0);
    }
    return 0;
}

std::uint64_t read_process() {
    if (__sanitizer_get_current_allocated_bytes) return __sanitizer_get_current_allocated_bytes();
    return number_of("/proc/self/status", "RssAnon:") * 1024;
}

// Each object that shares a map has a descriptor of its own for it.
std::uint64_t read_maps() {
    std::uint64_t sum = 0;
    std::set<std::uint64_t> seen;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fdinfo", error)) {
        const std::string path = entry.path();
        const std::uint64_t id = number_of(path, "map_id:");
        if (id && seen.insert(id).second) sum += number_of(path, "memlock:");
    }
    return sum;
}

}  // namespace

Pressure next_pressure(Pressure now, std::uint64_t used, std::uint64_t limit) {
    const auto is_above = [&](std::uint64_t percent) { return used >= limit / 100 * percent; };
    if (is_above(92) || (now == Pressure::Full && is_above(85))) return Pressure::Full;
    if (is_above(80) || (now != Pressure::None && is_above(70))) return Pressure::High;
    return Pressure::None;
}

MemoryBudget::MemoryBudget(std::uint64_t limit, metrics::SelfMetrics& self)
    : limit_(limit),
      process_(self.gauge("waggle.memory.usage", {{"part", "process"}}, "By")),
      kernel_(self.gauge("waggle.memory.usage", {{"part", "kernel"}}, "By")),
      level_(self.gauge("waggle.memory.pressure")) {
    self.gauge("waggle.memory.limit", {}, "By").set(static_cast<std::int64_t>(limit));
}

MemoryUse MemoryBudget::measure(std::uint64_t connections, std::uint64_t now_ns) {
    if (!maps_read_ns_ || now_ns >= maps_read_ns_ + kMapsNs) {
        maps_read_ns_ = now_ns;
        maps_ = read_maps();
    }
    const MemoryUse use{.process = read_process(), .kernel = maps_ + connections * kConnectionBytes};
    process_.set(static_cast<std::int64_t>(use.process));
    kernel_.set(static_cast<std::int64_t>(use.kernel));
    return use;
}

Pressure MemoryBudget::check(std::uint64_t connections, std::uint64_t now_ns) {
    MemoryUse use = measure(connections, now_ns);
    // What was freed may still be held by the allocator. It takes a while.
    if (next_pressure(pressure_, use.total(), limit_) != Pressure::None && now_ns >= trimmed_ns_ + kTrimNs) {
        trimmed_ns_ = now_ns;
        ::malloc_trim(0);
        use = measure(connections, now_ns);
    }
    used_ = use.total();
    const Pressure now = next_pressure(pressure_, used_, limit_);
    if (now == pressure_) return now;
    const auto mib = [](std::uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); };
    if (now == Pressure::None)
        log::info("memory: {:.0f} of {:.0f} MiB in use, all is followed again", mib(use.total()), mib(limit_));
    else
        log::warn("memory: {:.0f} of {:.0f} MiB in use (memory_limit): {}", mib(use.total()), mib(limit_),
                  now == Pressure::High
                      ? "no metric series are added, what is new goes to the overflow series"
                      : "new connections are not followed, and those that rest longest are forgotten");
    pressure_ = now;
    level_.set(static_cast<std::int64_t>(now));
    return now;
}

}  // namespace waggle::agent
