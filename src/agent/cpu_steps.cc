// SPDX-License-Identifier: Apache-2.0
#include "agent/cpu_steps.h"

#include <algorithm>

namespace waggle::agent {
namespace {

constexpr int kLooks = 3;
constexpr double kCalm = 0.6;  // of the limit
constexpr std::uint64_t kLastingNs = 60'000'000'000;
constexpr std::uint64_t kMaxHoldNs = 300'000'000'000;

}  // namespace

std::string_view describe(Step step) {
    switch (step) {
        case Step::Whole:
            return "everything is done again";
        case Step::Small:
            return "at most 512 bytes of a call are copied: what stands beyond them in a head is unknown";
        case Step::Sampled:
            return "one trace in ten is exported; metrics stay whole";
        case Step::Counted:
            return "requests are counted and timed in the kernel only: no spans, no attributes";
    }
    return "";
}

Step CpuSteps::look(double share, std::uint64_t now_ns) {
    if (limit_ <= 0) return step_;
    above_ = share > limit_ ? above_ + 1 : 0;
    if (share >= kCalm * limit_)
        calm_since_ns_ = 0;
    else if (!calm_since_ns_)
        calm_since_ns_ = now_ns;
    if (above_ >= kLooks && step_ != Step::Counted) {
        const bool has_lasted = !last_back_ns_ || now_ns >= last_back_ns_ + kLastingNs;
        hold_ns_ = has_lasted ? kFirstHoldNs : std::min(2 * hold_ns_, kMaxHoldNs);
        step_ = static_cast<Step>(static_cast<int>(step_) + 1);
        above_ = 0;
    } else if (step_ != Step::Whole && calm_since_ns_ && now_ns >= calm_since_ns_ + hold_ns_) {
        step_ = static_cast<Step>(static_cast<int>(step_) - 1);
        last_back_ns_ = calm_since_ns_ = now_ns;
    }
    return step_;
}

}  // namespace waggle::agent
