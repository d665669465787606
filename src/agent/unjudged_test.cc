// SPDX-License-Identifier: Apache-2.0
#include "agent/unjudged.h"

#include <gtest/gtest.h>

#include <set>

namespace waggle::agent {
namespace {

using Known = decorate::Service::Known;
constexpr std::uint64_t kSecond = 1'000'000'000;

class UnjudgedTest : public ::testing::Test {
  protected:
    // A batch with a span of that process.
    void push(std::uint32_t pid) {
        auto batch = std::make_unique<spans::SpanBatch>();
        batch->add().process.pid = pid;
        unjudged_.push(std::move(batch), now_ns_);
    }
    // Whose batch waits no longer; 0: all do.
    std::uint32_t pop() {
        const BatchPtr batch = unjudged_.pop(now_ns_);
        return batch ? batch->begin()->process.pid : 0;
    }

    std::set<std::uint32_t> known_;
    std::set<std::uint32_t> young_;
    Looked until_;
    std::uint64_t now_ns_ = 100 * kSecond;
    Unjudged unjudged_{[this](const spans::SpanBatch& batch) {
                           const std::uint32_t pid = batch.begin()->process.pid;
                           return young_.contains(pid) ? Known::Young : known_.contains(pid) ? Known::Yes : Known::No;
                       },
                       [this] { return until_; }};
};

// However long discovery is busy: the event that tells of the process may stand in its ring.
TEST_F(UnjudgedTest, WaitsUntilDiscoveryHasReadWhatItWasToldBefore) {
    push(7);
    now_ns_ += 5 * kSecond;
    until_.looked_ns = 100 * kSecond;  // began when the batch came: the event may have come behind it
    EXPECT_EQ(pop(), 0u);
    until_.looked_ns = 100 * kSecond + 1;
    EXPECT_EQ(pop(), 7u);
    EXPECT_TRUE(unjudged_.is_empty());
}

TEST_F(UnjudgedTest, WaitsNoLongerThanItsProcessIsUnknown) {
    push(7);
    EXPECT_EQ(pop(), 0u);
    known_.insert(7);
    EXPECT_EQ(pop(), 7u);
}

// A wrapper has begun and become its program: the event that tells of the second may stand in the ring.
TEST_F(UnjudgedTest, OfAYoungProcessUntilDiscoveryHasReadWhatItWasToldBefore) {
    young_ = {7};
    push(7);
    until_.read_ns = 100 * kSecond;
    EXPECT_EQ(pop(), 0u);
    until_.read_ns = 100 * kSecond + 1;
    EXPECT_EQ(pop(), 7u);
    // Of one that it has not heard of, more has to be done.
    push(8);
    EXPECT_EQ(pop(), 0u);
    young_.clear();
    push(9);
    known_ = {8, 9};
    EXPECT_EQ(pop(), 8u);
    EXPECT_EQ(pop(), 9u);
}

TEST_F(UnjudgedTest, WhatCameLaterStaysBehind) {
    known_ = {8};
    push(7);
    now_ns_ += kSecond;
    push(8);
    EXPECT_EQ(pop(), 0u);
    until_.looked_ns = now_ns_;
    EXPECT_EQ(pop(), 7u);
    EXPECT_EQ(pop(), 8u);
    EXPECT_EQ(pop(), 0u);
}

TEST_F(UnjudgedTest, NeitherForEverNorAnyNumber) {
    for (std::uint32_t pid = 1; pid <= 65; ++pid) push(pid);
    EXPECT_EQ(pop(), 1u);
    EXPECT_EQ(pop(), 0u);
    now_ns_ += 10 * kSecond;
    EXPECT_EQ(pop(), 2u);
}

TEST_F(UnjudgedTest, AtTheEndAllGo) {
    push(7);
    EXPECT_EQ(unjudged_.take()->begin()->process.pid, 7u);
    EXPECT_EQ(unjudged_.take(), nullptr);
}

}  // namespace
}  // namespace waggle::agent
