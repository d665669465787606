// SPDX-License-Identifier: Apache-2.0
// Budget: keeps the agent inside memory_limit and cpu_limit. Looks once a second, at memory ten times as often while
// half of it is in use, and tells those who can do less.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "agent/cpu_steps.h"
#include "agent/memory_budget.h"
#include "agent/pipeline.h"
#include "agent/reader.h"
#include "sensors/capture.h"

namespace waggle::agent {

class Budget {
  public:
    Budget(const config::Config& config, metrics::SelfMetrics& self, sensors::Capture& capture, Pipeline& pipeline,
           const std::vector<std::unique_ptr<Reader>>& readers);

    void look(std::uint64_t now_ns);
    // Until the next look.
    std::chrono::milliseconds pause() const { return std::chrono::milliseconds(memory_.is_half_used() ? 100 : 1000); }

  private:
    void keep_memory(std::uint64_t now_ns);
    void keep_cpu(std::uint64_t now_ns);

    sensors::Capture& capture_;
    Pipeline& pipeline_;
    const std::vector<std::unique_ptr<Reader>>& readers_;
    MemoryBudget memory_;
    CpuSteps steps_;
    double limit_;
    metrics::SelfValue& step_;
    metrics::SelfValue& used_;
    std::uint64_t last_ns_ = 0;
    std::uint64_t last_used_ns_ = 0;
};

}  // namespace waggle::agent
