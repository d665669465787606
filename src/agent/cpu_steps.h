// SPDX-License-Identifier: Apache-2.0
// CpuSteps: how the agent does less while it uses more of a processor than cpu_limit allows. Decides only, by what it
// is told; pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace waggle::agent {

enum class Step : std::uint8_t {
    Whole,    // everything is done
    Small,    // less is copied of each call
    Sampled,  // … and one trace in ten is exported
    Counted,  // the kernel side counts and times; nothing is copied, no spans
};
// What that means, for the log.
std::string_view describe(Step step);

class CpuSteps {
  public:
    // Share of one core; 0: no limit.
    explicit CpuSteps(double limit) : limit_(limit) {}

    // Once a second: the share that was used since the last look. A step down the ladder needs three looks above the
    // limit in a row; a step back ten seconds below 60 % of it, and twice as long each time that it did not last a
    // minute.
    Step look(double share, std::uint64_t now_ns);
    Step step() const { return step_; }

  private:
    double limit_;
    Step step_ = Step::Whole;
    int above_ = 0;
    std::uint64_t calm_since_ns_ = 0;  // 0: it is not
    std::uint64_t hold_ns_ = kFirstHoldNs;
    std::uint64_t last_back_ns_ = 0;

    static constexpr std::uint64_t kFirstHoldNs = 10'000'000'000;
};

}  // namespace waggle::agent
