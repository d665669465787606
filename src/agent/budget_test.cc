// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "agent/cpu_steps.h"
#include "agent/memory_budget.h"

namespace waggle::agent {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

// Looks once a second for this long.
struct Machine {
    CpuSteps steps;
    std::uint64_t now_ns = kSecond;

    Step run(double share, int seconds) {
        for (int i = 0; i < seconds; ++i) steps.look(share, now_ns += kSecond);
        return steps.step();
    }
};

TEST(CpuSteps, GoesDownStepByStepWhileTooMuchIsUsed) {
    Machine machine{CpuSteps(0.5)};
    EXPECT_EQ(machine.run(0.49, 100), Step::Whole);
    EXPECT_EQ(machine.run(0.9, 2), Step::Whole);
    EXPECT_EQ(machine.run(0.4, 1), Step::Whole);  // not in a row
    EXPECT_EQ(machine.run(0.9, 3), Step::Small);
    EXPECT_EQ(machine.run(0.9, 3), Step::Sampled);
    EXPECT_EQ(machine.run(0.9, 3), Step::Counted);
    EXPECT_EQ(machine.run(0.9, 100), Step::Counted);
}

TEST(CpuSteps, ComesBackWhenItIsCalm) {
    Machine machine{CpuSteps(0.5)};
    machine.run(0.9, 9);
    EXPECT_EQ(machine.run(0.4, 100), Step::Counted);  // neither too much nor calm
    EXPECT_EQ(machine.run(0.1, 10), Step::Counted);
    EXPECT_EQ(machine.run(0.1, 1), Step::Sampled);
    EXPECT_EQ(machine.run(0.1, 10), Step::Small);
    EXPECT_EQ(machine.run(0.1, 10), Step::Whole);
}

TEST(CpuSteps, WaitsLongerEachTimeThatItDidNotLast) {
    Machine machine{CpuSteps(0.5)};
    machine.run(0.9, 9);
    machine.run(0.1, 11);
    ASSERT_EQ(machine.steps.step(), Step::Sampled);
    machine.run(0.9, 3);
    ASSERT_EQ(machine.steps.step(), Step::Counted);
    EXPECT_EQ(machine.run(0.1, 20), Step::Counted);
    EXPECT_EQ(machine.run(0.1, 1), Step::Sampled);
    machine.run(0.9, 3);
    EXPECT_EQ(machine.run(0.1, 40), Step::Counted);
    EXPECT_EQ(machine.run(0.1, 1), Step::Sampled);
    // One that lasted is forgotten.
    machine.run(0.1, 200);
    ASSERT_EQ(machine.run(0.4, 60), Step::Whole);
    machine.run(0.9, 9);
    EXPECT_EQ(machine.run(0.1, 11), Step::Sampled);
}

TEST(CpuSteps, KeepsNoLimitThatIsNone) {
    Machine machine{CpuSteps(0)};
    EXPECT_EQ(machine.run(4, 100), Step::Whole);
}

TEST(MemoryPressure, RisesAndFallsAtDifferentShares) {
    const auto next = [](Pressure now, std::uint64_t percent) {
        return next_pressure(now, percent * 1'000'000, 100'000'000);
    };
    EXPECT_EQ(next(Pressure::None, 79), Pressure::None);
    EXPECT_EQ(next(Pressure::None, 80), Pressure::High);
    EXPECT_EQ(next(Pressure::None, 92), Pressure::Full);
    EXPECT_EQ(next(Pressure::High, 70), Pressure::High);
    EXPECT_EQ(next(Pressure::High, 69), Pressure::None);
    EXPECT_EQ(next(Pressure::Full, 85), Pressure::Full);
    EXPECT_EQ(next(Pressure::Full, 84), Pressure::High);
    EXPECT_EQ(next(Pressure::Full, 10), Pressure::None);
}

}  // namespace
}  // namespace waggle::agent
