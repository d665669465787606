// SPDX-License-Identifier: Apache-2.0
#include "agent/budget.h"

#include <sys/resource.h>

#include "base/log.h"

namespace waggle::agent {
namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;
constexpr std::uint32_t kSmallBytes = 512;

std::uint64_t used_ns() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto ns = [](const timeval& time) {
        return static_cast<std::uint64_t>(time.tv_sec) * kSecondNs + static_cast<std::uint64_t>(time.tv_usec) * 1000;
    };
    return ns(usage.ru_utime) + ns(usage.ru_stime);
}

}  // namespace

Budget::Budget(const config::Config& config, metrics::SelfMetrics& self, sensors::Capture& capture, Pipeline& pipeline,
               const std::vector<std::unique_ptr<Reader>>& readers)
    : capture_(capture),
      pipeline_(pipeline),
      readers_(readers),
      memory_(config.memory_limit, self),
      steps_(config.cpu_limit),
      limit_(config.cpu_limit),
      step_(self.gauge("waggle.overload.step")),
      used_(self.counter("waggle.cpu.time", {}, "ns")) {}

void Budget::look(std::uint64_t now_ns) {
    const bool is_between = last_ns_ && now_ns < last_ns_ + kSecondNs;
    // Connections by the ten thousand take a tenth of a small limit in a quarter of a second.
    if (!is_between || memory_.is_half_used()) keep_memory(now_ns);
    if (is_between) return;
    keep_cpu(now_ns);
    last_ns_ = now_ns;
}

void Budget::keep_memory(std::uint64_t now_ns) {
    std::uint64_t connections = 0;
    for (const auto& reader : readers_) connections += reader->connections();
    const Pressure before = memory_.pressure();
    const Pressure now = memory_.check(connections, now_ns);
    if (now == before) return;
    pipeline_.hold_series(now != Pressure::None);
    for (const auto& reader : readers_) reader->set_shedding(now == Pressure::Full);
}

void Budget::keep_cpu(std::uint64_t now_ns) {
    const std::uint64_t used = used_ns();
    used_.set(static_cast<std::int64_t>(used));
    const std::uint64_t since = last_ns_ ? now_ns - last_ns_ : 0;
    const double share = since ? static_cast<double>(used - last_used_ns_) / static_cast<double>(since) : 0;
    last_used_ns_ = used;
    if (!since) return;
    const Step before = steps_.step();
    const Step now = steps_.look(share, now_ns);
    if (now == before) return;
    if (now > before)
        log::warn("cpu: {:.0f} % of a core in use, {:.0f} % allowed (cpu_limit): {}", share * 100, limit_ * 100,
                  describe(now));
    else
        log::info("cpu: {:.0f} % of a core in use: {}", share * 100, describe(now));
    step_.set(static_cast<std::int64_t>(now));
    capture_.set_max_bytes(now >= Step::Small ? kSmallBytes : 0);
    capture_.set_counting(now >= Step::Counted);
    pipeline_.set_thinning(now >= Step::Sampled);
}

}  // namespace waggle::agent
