// SPDX-License-Identifier: Apache-2.0
#include "exporters/delivery.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <mutex>

#include "metrics/test_spans.h"

namespace waggle::exporters {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using spans::SpanBatch;

constexpr auto kLong = 20s;  // a bound for waits that end by themselves

// What the exporter of the test does and saw; outlives the delivery.
struct Script {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Outcome> outcomes;  // one per call; then accepted
    std::vector<std::size_t> calls;
    std::vector<std::string> names;
    bool is_blocked = false;
    bool is_cancelled = false;

    void block(bool blocked) {
        std::lock_guard lock(mutex);
        is_blocked = blocked;
        changed.notify_all();
    }
    bool wait_for_calls(std::size_t count) {
        std::unique_lock lock(mutex);
        return changed.wait_for(lock, kLong, [&] { return calls.size() >= count; });
    }
};

class Scripted : public Exporter {
  public:
    explicit Scripted(Script& script) : script_(script) {}
    std::string_view name() const override { return "test"; }
    Outcome spans(const SpanBatch& batch) override {
        std::vector<std::string> names;
        for (const auto& span : batch) names.emplace_back(span.name);
        return answer(batch.size(), std::move(names));
    }
    Outcome metrics(const metrics::Snapshot& snapshot) override { return answer(snapshot.points(), {}); }
    void cancel() override {
        std::lock_guard lock(script_.mutex);
        script_.is_cancelled = true;
        script_.changed.notify_all();
    }

  private:
    Outcome answer(std::size_t size, std::vector<std::string> names) {
        std::unique_lock lock(script_.mutex);
        script_.calls.push_back(size);
        for (auto& name : names) script_.names.push_back(std::move(name));
        script_.changed.notify_all();
        script_.changed.wait(lock, [&] { return !script_.is_blocked || script_.is_cancelled; });
        if (script_.is_cancelled) return Outcome::retry("cancelled");
        if (script_.outcomes.empty()) return Outcome::accepted();
        Outcome outcome = script_.outcomes.front();
        script_.outcomes.pop_front();
        return outcome;
    }
    Script& script_;
};

class DeliveryTest : public testing::Test {
  protected:
    Delivery& start(DeliveryOptions options = {}) {
        delivery_ = std::make_unique<Delivery>(std::make_unique<Scripted>(script_), options, self_);
        return *delivery_;
    }
    void push(int count, std::string name = "s") {
        SpanBatch batch;
        for (int i = 0; i < count; ++i) batch.add().name = name;
        delivery_->spans(batch, [](const spans::Span&) { return true; });
    }
    static metrics::Snapshot snapshot(int points, metrics::Temporality temporality) {
        metrics::Snapshot out;
        out.resources.emplace_back();
        metrics::Metric metric{.name = "m", .temporality = temporality};
        metric.points.resize(static_cast<std::size_t>(points));
        out.resources[0].metrics.push_back(metric);
        return out;
    }
    std::int64_t sent(std::string signal = "spans") {
        return self_.value("waggle.export.sent", {{"exporter", "test"}, {"signal", signal}});
    }
    std::int64_t dropped(std::string cause, std::string signal = "spans") {
        return self_.value("waggle.export.dropped", {{"exporter", "test"}, {"signal", signal}, {"cause", cause}});
    }

    Script script_;
    metrics::SelfMetrics self_;
    std::unique_ptr<Delivery> delivery_;
};

TEST_F(DeliveryTest, SendsAfterTheBatchTimeout) {
    start({.batch_timeout = 1ms});
    push(3);
    ASSERT_TRUE(script_.wait_for_calls(1));
    ASSERT_TRUE(delivery_->flush(Clock::now() + kLong));
    EXPECT_EQ(sent(), 3);
}

TEST_F(DeliveryTest, NothingIsQueuedOnceItIsSent) {
    start({.batch_timeout = 1ms});
    push(3);
    ASSERT_TRUE(delivery_->flush(Clock::now() + kLong));
    EXPECT_EQ(self_.value("waggle.export.queued", {{"exporter", "test"}, {"signal", "spans"}}), 0);
}

TEST_F(DeliveryTest, BatchesUpToTheLimit) {
    start({.max_batch = 10, .max_queue = 100, .batch_timeout = 1h});
    for (int i = 0; i < 7; ++i) push(5);
    ASSERT_TRUE(delivery_->flush(Clock::now() + kLong));
    EXPECT_EQ(script_.calls, (std::vector<std::size_t>{10, 10, 10, 5}));
    EXPECT_EQ(sent(), 35);
}

TEST_F(DeliveryTest, TakesOnlyWantedSpans) {
    start();
    SpanBatch batch;
    batch.add().name = "no";
    batch.add().name = "yes";
    delivery_->spans(batch, [](const spans::Span& span) { return span.name == "yes"; });
    batch.clear();
    ASSERT_TRUE(delivery_->flush(Clock::now() + kLong));
    EXPECT_EQ(script_.names, std::vector<std::string>{"yes"});
}

TEST_F(DeliveryTest, FullQueueDropsTheOldestAndNeverWaits) {
    start({.max_batch = 10, .max_queue = 20, .batch_timeout = 1h});
    script_.block(true);
    push(10, "in flight");
    ASSERT_TRUE(script_.wait_for_calls(1));
    push(10, "old");
    push(10, "middle");
    push(10, "new");
    EXPECT_EQ(dropped("queue_full"), 10);
    script_.block(false);
    ASSERT_TRUE(delivery_->flush(Clock::now() + kLong));
    EXPECT_EQ(sent(), 30);
    EXPECT_EQ(std::count(script_.names.begin(), script_.names.end(), "old"), 0);
}

TEST_F(DeliveryTest, AQueueOfManyBytesDropsTheOldest) {
    constexpr int kBatches = 100;
    start({.max_batch = 10, .max_queue = 1'000'000, .max_bytes = 1 << 20, .batch_timeout = 1h});
    script_.block(true);
    push(10, "in flight");
    ASSERT_TRUE(script_.wait_for_calls(1));
    for (int i = 0; i < kBatches; ++i) push(10, "old");
    // A batch holds 64 KiB of text at least.
    EXPECT_GE(dropped("queue_full"), 10 * (kBatches - 16));
    push(10, "new");
    script_.block(false);
    ASSERT_TRUE(delivery_->flush(Clock::now() + kLong));
    EXPECT_EQ(sent() + dropped("queue_full"), 10 * (kBatches + 2));
    EXPECT_EQ(std::count(script_.names.begin(), script_.names.end(), "new"), 10);
}

TEST_F(DeliveryTest, RetriesUntilItWorks) {
    start({.backoff_initial = 1ms, .backoff_max = 2ms});
    script_.outcomes = {Outcome::retry("a"), Outcome::retry("b", 1ms)};
    push(4);
    ASSERT_TRUE(delivery_->flush(Clock::now() + kLong));
    EXPECT_EQ(script_.calls.size(), 3u);
    EXPECT_EQ(sent(), 4);
    EXPECT_EQ(self_.value("waggle.export.retries", {{"exporter", "test"}, {"signal", "spans"}}), 2);
}

TEST_F(DeliveryTest, GivesUpAfterMaxElapsed) {
    start({.backoff_initial = 100ms, .backoff_max_elapsed = 1ms});
    script_.outcomes = {Outcome::retry("a")};
    push(4);
    ASSERT_TRUE(delivery_->flush(Clock::now() + kLong));
    EXPECT_EQ(dropped("export_failed"), 4);
    push(1);  // the next batch is tried again
    ASSERT_TRUE(delivery_->flush(Clock::now() + kLong));
    EXPECT_EQ(sent(), 1);
}

TEST_F(DeliveryTest, PermanentFailureIsNotRetried) {
    start();
    script_.outcomes = {Outcome::permanent("no")};
    push(4);
    ASSERT_TRUE(delivery_->flush(Clock::now() + kLong));
    EXPECT_EQ(script_.calls.size(), 1u);
    EXPECT_EQ(dropped("export_failed"), 4);
}

TEST_F(DeliveryTest, PartialSuccessCountsBoth) {
    start();
    script_.outcomes = {Outcome::partly(3, "bad"), Outcome::partly(99, "more than there were")};
    push(4);
    ASSERT_TRUE(delivery_->flush(Clock::now() + kLong));
    EXPECT_EQ(sent(), 1);
    EXPECT_EQ(dropped("rejected"), 3);
    push(4);
    ASSERT_TRUE(delivery_->flush(Clock::now() + kLong));
    EXPECT_EQ(dropped("rejected"), 7);
}

TEST_F(DeliveryTest, ShutdownSendsWhatIsQueued) {
    start({.batch_timeout = 1h});
    push(4);
    delivery_->shutdown(Clock::now() + kLong);
    EXPECT_EQ(sent(), 4);
    push(2);
    EXPECT_EQ(dropped("shutdown"), 2);
}

TEST_F(DeliveryTest, ShutdownTriesARetryAtOnce) {
    start({.batch_timeout = 0ms, .backoff_initial = 1h, .backoff_max_elapsed = 10h});
    script_.outcomes = {Outcome::retry("a")};
    push(4);
    ASSERT_TRUE(script_.wait_for_calls(1));
    delivery_->shutdown(Clock::now() + kLong);
    EXPECT_EQ(sent(), 4);
}

TEST_F(DeliveryTest, ShutdownGivesUpAtTheDeadlineAndCounts) {
    start({.max_batch = 5, .max_queue = 100, .batch_timeout = 1h});
    script_.block(true);
    push(12);
    ASSERT_TRUE(script_.wait_for_calls(1));
    EXPECT_FALSE(delivery_->flush(Clock::now() + 1ms));
    delivery_->shutdown(Clock::now() + 1ms);
    EXPECT_EQ(dropped("shutdown"), 12);
    EXPECT_EQ(sent(), 0);
}

TEST_F(DeliveryTest, NewerCumulativeSnapshotReplacesOlder) {
    start();
    script_.block(true);
    delivery_->metrics(snapshot(1, metrics::Temporality::Cumulative));
    ASSERT_TRUE(script_.wait_for_calls(1));
    delivery_->metrics(snapshot(2, metrics::Temporality::Cumulative));
    delivery_->metrics(snapshot(3, metrics::Temporality::Cumulative));
    script_.block(false);
    ASSERT_TRUE(delivery_->flush(Clock::now() + kLong));
    EXPECT_EQ(script_.calls, (std::vector<std::size_t>{1, 3}));
    EXPECT_EQ(dropped("superseded", "metrics"), 2);
    EXPECT_EQ(sent("metrics"), 4);
}

TEST_F(DeliveryTest, DeltaSnapshotsAreKeptUpToTheLimit) {
    start({.max_snapshots = 2});
    script_.block(true);
    delivery_->metrics(snapshot(1, metrics::Temporality::Delta));
    ASSERT_TRUE(script_.wait_for_calls(1));
    for (int i = 2; i <= 4; ++i) delivery_->metrics(snapshot(i, metrics::Temporality::Delta));
    script_.block(false);
    ASSERT_TRUE(delivery_->flush(Clock::now() + kLong));
    EXPECT_EQ(script_.calls, (std::vector<std::size_t>{1, 3, 4}));
    EXPECT_EQ(dropped("queue_full", "metrics"), 2);
}

TEST_F(DeliveryTest, AReplacedExporterIsTriedAtOnce) {
    // Without the replacement the next try would come after an hour.
    script_.outcomes = {Outcome::retry("bad certificate", 1h)};
    Delivery& delivery = start({.batch_timeout = 1ms, .backoff_initial = 1h, .backoff_max_elapsed = 24h});
    push(3);
    ASSERT_TRUE(script_.wait_for_calls(1));
    Script renewed;
    delivery.replace(std::make_unique<Scripted>(renewed));
    EXPECT_TRUE(renewed.wait_for_calls(1));
    EXPECT_TRUE(delivery.flush(Clock::now() + kLong));
    EXPECT_EQ(sent(), 3);
    EXPECT_EQ(delivery.span_totals().sent, 3);
    delivery_.reset();  // before what it writes to
}

TEST_F(DeliveryTest, EverySpanIsSentDroppedSkippedOrOnItsWay) {
    const auto value = [&](std::string name) {
        return self_.value("waggle.export." + name, {{"exporter", "test"}, {"signal", "spans"}});
    };
    script_.block(true);
    Delivery& delivery = start({.max_batch = 2, .max_queue = 4, .batch_timeout = 1ms});
    push(2);
    ASSERT_TRUE(script_.wait_for_calls(1));
    EXPECT_EQ(value("queued"), 2);  // under way
    push(7);
    SpanBatch unwanted;
    unwanted.add();
    delivery.spans(unwanted, [](const spans::Span&) { return false; });
    EXPECT_EQ(value("skipped"), 1);
    EXPECT_EQ(value("queued") + dropped("queue_full"), 9);
    EXPECT_GT(dropped("queue_full"), 0);
    script_.block(false);
    EXPECT_TRUE(delivery.flush(Clock::now() + kLong));
    EXPECT_EQ(value("queued"), 0);
    EXPECT_EQ(sent() + dropped("queue_full"), 9);
    EXPECT_EQ(delivery.span_totals().lost, dropped("queue_full"));
}

}  // namespace
}  // namespace waggle::exporters
