// SPDX-License-Identifier: Apache-2.0
#include "agent/tail_order.h"

#include <gtest/gtest.h>

namespace waggle::agent {
namespace {

constexpr int kMost = sensors::RingReader::kMost;

TEST(TailOrder, WaitsUntilTheRingIsEmpty) {
    TailOrder order(1000 * kMost);
    EXPECT_FALSE(order.take(5));  // nothing was read
    order.read();
    EXPECT_TRUE(order.is_waiting());
    EXPECT_FALSE(order.take(kMost));
    EXPECT_FALSE(order.take(kMost));
    EXPECT_TRUE(order.take(5));
    EXPECT_FALSE(order.is_waiting());
    EXPECT_FALSE(order.take(0));
    order.read();
    EXPECT_TRUE(order.take(0));
}

TEST(TailOrder, WaitsForNoMoreThanTheRingHeld) {
    TailOrder order(3 * kMost);
    for (int round = 0; round < 2; ++round) {
        order.read();
        EXPECT_FALSE(order.take(kMost));
        EXPECT_FALSE(order.take(kMost));
        EXPECT_TRUE(order.take(kMost));
    }
}

}  // namespace
}  // namespace waggle::agent
