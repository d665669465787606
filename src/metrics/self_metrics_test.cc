// SPDX-License-Identifier: Apache-2.0
#include "metrics/self_metrics.h"

#include <gtest/gtest.h>

#include <thread>

namespace waggle::metrics {
namespace {

TEST(SelfMetrics, SameNameAndLabelsAreOneValue) {
    SelfMetrics self;
    SelfValue& lost = self.counter("waggle.events.lost", {{"cause", "ring_full"}});
    EXPECT_EQ(&lost, &self.counter("waggle.events.lost", {{"cause", "ring_full"}}));
    EXPECT_NE(&lost, &self.counter("waggle.events.lost", {{"cause", "hole"}}));
    lost.add(3);
    EXPECT_EQ(self.value("waggle.events.lost", {{"cause", "ring_full"}}), 3);
}

TEST(SelfMetrics, VisitsTheValuesOfAName) {
    SelfMetrics self;
    self.counter("waggle.b", {{"x", "1"}}).add(1);
    self.counter("waggle.c", {{"x", "1"}}).add(5);
    self.counter("waggle.b", {{"x", "2"}}).add(2);
    std::int64_t sum = 0;
    self.visit("waggle.b", [&](const SelfMetrics::Labels& labels, std::int64_t value) {
        EXPECT_EQ(labels.at(0).second, std::to_string(value));
        sum += value;
    });
    EXPECT_EQ(sum, 3);
}

TEST(SelfMetrics, ThreadsMayRegisterTheSameValueAtOnce) {
    SelfMetrics self;
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([&self] {
                for (int i = 0; i < 1000; ++i) self.counter("c", {{"n", std::to_string(i % 50)}}).add();
            });
    }
    std::int64_t sum = 0;
    for (int i = 0; i < 50; ++i) sum += self.value("c", {{"n", std::to_string(i)}});
    EXPECT_EQ(sum, 4000);
}

TEST(SelfMetrics, AppendGroupsByNameUnderTheAgent) {
    SelfMetrics self;
    self.counter("waggle.b", {{"x", "1"}}).add(1);
    self.gauge("waggle.a").set(7);
    self.counter("waggle.b", {{"x", "2"}}).add(2);
    Snapshot snapshot;
    snapshot.time_ns = 50;
    self.append(snapshot, Profile::Otel, nullptr, 10);
    append_info(snapshot, Profile::Otel, "waggle.build.info", {{"version", "1"}}, nullptr);
    ASSERT_EQ(snapshot.resources.size(), 1u);
    EXPECT_TRUE(snapshot.resources[0].is_agent);
    const auto& metrics = snapshot.resources[0].metrics;
    ASSERT_EQ(metrics.size(), 3u);
    EXPECT_EQ(metrics[0].name, "waggle.a");
    EXPECT_EQ(metrics[0].kind, Kind::Gauge);
    ASSERT_EQ(metrics[1].points.size(), 2u);
    EXPECT_EQ(metrics[1].points[1].value, 2);
    EXPECT_EQ(metrics[1].points[1].start_ns, 10u);
    EXPECT_EQ(metrics[2].name, "waggle.build.info");
}

TEST(SelfMetrics, BeylaProfileRenamesWhatBeylaHas) {
    SelfMetrics self;
    self.gauge("waggle.instrumented.processes").set(1);
    self.counter("waggle.events.lost").add();
    Snapshot snapshot;
    self.append(snapshot, Profile::Beyla, nullptr, 0);
    EXPECT_EQ(snapshot.resources[0].metrics[0].name, "waggle.events.lost");
    EXPECT_EQ(snapshot.resources[0].metrics[1].name, "beyla.instrumented.processes");
}

}  // namespace
}  // namespace waggle::metrics
