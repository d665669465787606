// SPDX-License-Identifier: Apache-2.0
#include "metrics/deltas.h"

#include <gtest/gtest.h>

#include "metrics/self_metrics.h"

namespace waggle::metrics {
namespace {

class DeltasTest : public ::testing::Test {
  protected:
    // What is pushed at that moment.
    Snapshot push(std::uint64_t now_ns) {
        Snapshot snapshot;
        snapshot.time_ns = now_ns;
        snapshot.wall_offset_ns = wall_offset_ns_;
        self_.append(snapshot, Profile::Otel, nullptr, started_ns_);
        deltas_.apply(snapshot);
        return snapshot;
    }
    static const Metric& metric(const Snapshot& snapshot, std::string_view name) {
        for (const Metric& metric : snapshot.resources.at(0).metrics)
            if (metric.name == name) return metric;
        throw std::out_of_range(std::string(name));
    }

    std::uint64_t started_ns_ = 10;  // as the wall clock has it
    std::int64_t wall_offset_ns_ = 1000;
    SelfMetrics self_;
    Deltas deltas_;
};

TEST_F(DeltasTest, OfACounterWhatCameSinceTheLastPush) {
    SelfValue& ring = self_.counter("waggle.events.lost", {{"cause", "ring_full"}});
    ring.add(3);
    Snapshot first = push(50);
    EXPECT_EQ(metric(first, "waggle.events.lost").temporality, Temporality::Delta);
    EXPECT_EQ(metric(first, "waggle.events.lost").points.at(0).value, 3);
    EXPECT_EQ(metric(first, "waggle.events.lost").points.at(0).start_ns, 10u);
    ring.add(4);
    self_.counter("waggle.events.lost", {{"cause", "hole"}}).add(1);
    wall_offset_ns_ += 2;
    started_ns_ -= 2;
    Snapshot second = push(90);
    const auto& points = metric(second, "waggle.events.lost").points;
    ASSERT_EQ(points.size(), 2u);
    EXPECT_EQ(points[0].value, 1);  // new
    EXPECT_EQ(points[0].start_ns, 8u);
    EXPECT_EQ(points[1].value, 4);
    EXPECT_EQ(points[1].start_ns + 1002, 50u + 1000);  // on the wall's clock
    EXPECT_EQ(metric(push(95), "waggle.events.lost").points.at(1).value, 0);
}

TEST_F(DeltasTest, AWallClockThatIsSetBackTellsNothingTwice) {
    self_.counter("waggle.events.read").add(5);
    push(50);
    started_ns_ += 1000;
    wall_offset_ns_ -= 1000;
    const Snapshot second = push(90);
    EXPECT_EQ(metric(second, "waggle.events.read").points.at(0).value, 0);
    EXPECT_EQ(metric(second, "waggle.events.read").points.at(0).start_ns, 90u);
}

TEST_F(DeltasTest, AGaugeStaysAsItIs) {
    self_.gauge("waggle.connections.tracked").set(7);
    push(50);
    const Snapshot second = push(90);
    EXPECT_EQ(metric(second, "waggle.connections.tracked").points.at(0).value, 7);
    EXPECT_EQ(metric(second, "waggle.connections.tracked").temporality, Temporality::Cumulative);
}

Snapshot durations(std::uint64_t start_ns, std::uint64_t now_ns, std::vector<std::uint64_t> counts, double sum) {
    Snapshot snapshot;
    snapshot.time_ns = now_ns;
    Metric metric{.name = "waggle.counted.request.duration", .kind = Kind::Histogram, .bounds = {1}};
    Point point{.start_ns = start_ns, .time_ns = now_ns};
    for (const std::uint64_t count : counts) point.histogram.count += count;
    point.histogram.sum = sum;
    point.histogram.counts = std::move(counts);
    metric.points.push_back(std::move(point));
    snapshot.resources.push_back({.resource = nullptr, .is_agent = false, .metrics = {}});
    snapshot.resources.back().metrics.push_back(std::move(metric));
    return snapshot;
}

TEST_F(DeltasTest, OfAHistogramEachBucketAndNothingOfOneThatBeganAnew) {
    Snapshot first = durations(10, 50, {1, 2}, 5);
    deltas_.apply(first);
    Snapshot second = durations(10, 90, {4, 2}, 7);
    deltas_.apply(second);
    const Point& grown = second.resources[0].metrics[0].points[0];
    EXPECT_EQ(grown.start_ns, 50u);
    EXPECT_EQ(grown.histogram.count, 3u);
    EXPECT_EQ(grown.histogram.sum, 2);
    EXPECT_EQ(grown.histogram.counts, (std::vector<std::uint64_t>{3, 0}));
    Snapshot anew = durations(95, 99, {1, 0}, 0.5);
    deltas_.apply(anew);
    EXPECT_EQ(anew.resources[0].metrics[0].points[0].histogram.count, 1u);
    EXPECT_EQ(anew.resources[0].metrics[0].points[0].start_ns, 95u);
}

}  // namespace
}  // namespace waggle::metrics
