// SPDX-License-Identifier: Apache-2.0
#include "agent/ledger.h"

#include <gtest/gtest.h>

#include "agent/account.h"
#include "protocols/testing/host.h"

namespace waggle::agent {
namespace {

using protocols::testing::Host;
using protocols::testing::Socket;

spans::SpanBatch batch_of(std::string_view protocol, std::size_t count) {
    spans::SpanBatch batch;
    for (std::size_t i = 0; i < count; ++i) batch.add().protocol = protocol;
    return batch;
}

Ledger::Numbers numbers_of(std::string_view protocol, std::size_t count) {
    return Ledger::Count(batch_of(protocol, count)).numbers();
}

// A server that has been asked, and has answered or not.
class Exchanges {
  public:
    Exchanges() : host_({}), socket_(host_.add({.id = 1, .role = WG_ROLE_SERVER, .pid = 7})) {}
    void ask() { move(WG_RECEIVE, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); }
    void answer() { move(WG_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); }
    const protocols::Tracker& tracker() { return host_.tracker(); }
    spans::SpanBatch& batch() { return host_.batch(); }

  private:
    void move(wg_direction direction, std::string bytes) {
        now_ns_ += 1'000'000;
        host_.report(socket_, socket_.moved(direction, std::move(bytes), now_ns_));
    }

    Host host_;
    Socket& socket_;
    std::uint64_t now_ns_ = 1'000'000'000;
};

struct LedgerTest : ::testing::Test {
    std::int64_t unaccounted() {
        ledger.refresh();
        return self.value("waggle.requests.unaccounted", {{"protocol", "http"}});
    }
    std::int64_t in_flight() {
        ledger.refresh();
        return self.value("waggle.requests.in_flight", {{"protocol", "http"}});
    }

    metrics::SelfMetrics self;
    Ledger ledger{self};
    Ledger::Page page{ledger};
    Exchanges exchanges;
};

TEST_F(LedgerTest, FollowsARequestToItsEnd) {
    exchanges.ask();
    page.publish(exchanges.tracker(), exchanges.batch());
    EXPECT_EQ(in_flight(), 1);  // it is open
    exchanges.answer();
    page.publish(exchanges.tracker(), exchanges.batch());
    EXPECT_EQ(in_flight(), 1);  // its span is the reader's
    ASSERT_EQ(exchanges.batch().size(), 1u);
    spans::SpanBatch batch;
    batch.take(exchanges.batch());
    page.hand_on(batch);
    page.publish(exchanges.tracker(), exchanges.batch());
    EXPECT_EQ(in_flight(), 1);  // … on its way
    EXPECT_EQ(unaccounted(), 0);
    ledger.take(Ledger::Count(batch).numbers());
    ledger.end(End::Exported, Ledger::Count(batch).numbers());
    ledger.close_batch();
    ledger.rest(ledger.handed(), false);
    EXPECT_EQ(in_flight(), 0);
    EXPECT_EQ(unaccounted(), 0);
    EXPECT_EQ(self.value("waggle.requests.ended", {{"end", "exported"}, {"protocol", "http"}}), 1);
}

TEST_F(LedgerTest, MissesWhatTheReaderLoses) {
    exchanges.ask();
    exchanges.answer();
    exchanges.batch().clear();  // nobody handed it on
    page.publish(exchanges.tracker(), exchanges.batch());
    EXPECT_EQ(unaccounted(), 1);
}

TEST_F(LedgerTest, MissesWhatIsLostBetweenTheThreads) {
    page.hand_on(batch_of("http", 5));
    page.drop(batch_of("http", 2));
    EXPECT_EQ(in_flight(), 3);
    ledger.rest(ledger.handed(), false);  // and nobody took them
    EXPECT_EQ(unaccounted(), 3);
    EXPECT_EQ(in_flight(), 0);
}

TEST_F(LedgerTest, MissesWhatThePipelineLoses) {
    page.hand_on(batch_of("http", 6));
    ledger.take(numbers_of("http", 6));
    ledger.end(End::Unowned, numbers_of("http", 6), numbers_of("http", 5));
    ledger.end(End::Filtered, numbers_of("http", 5), numbers_of("http", 4));
    ledger.end(End::SampledOut, numbers_of("http", 1));
    ledger.end(End::Aggregated, numbers_of("http", 2));
    ledger.close_batch();
    EXPECT_EQ(unaccounted(), 1);
    ledger.end(End::Exported, numbers_of("http", 1));
    ledger.close_batch();
    EXPECT_EQ(unaccounted(), 0);
}

TEST_F(LedgerTest, CountsGrpcWhereItWasSeenAndConnectionsNowhere) {
    spans::SpanBatch batch = batch_of("grpc", 3);
    batch.add().span_class = spans::SpanClass::Connection;
    const Ledger::Numbers numbers = Ledger::Count(batch).numbers();
    EXPECT_EQ(numbers[protocols::counted_as("http2")], 3);
    std::int64_t all = 0;
    for (const std::int64_t one : numbers) all += one;
    EXPECT_EQ(all, 3);
}

TEST_F(LedgerTest, ComparesWhatWasExportedWithWhatBecameOfIt) {
    ledger.end(End::Exported, numbers_of("http", 10));
    const auto value = [&](const char* name, metrics::SelfMetrics::Labels labels) -> metrics::SelfValue& {
        labels.emplace_back("signal", "spans");
        return self.counter(name, labels);
    };
    value("waggle.export.sent", {{"exporter", "otlp"}}).add(4);
    value("waggle.export.dropped", {{"cause", "queue_full"}, {"exporter", "otlp"}}).add(3);
    value("waggle.export.queued", {{"exporter", "otlp"}}).add(2);
    self.counter("waggle.export.sent", {{"exporter", "otlp"}, {"signal", "metrics"}}).add(100);
    ledger.rest(ledger.handed(), true);
    EXPECT_EQ(self.value("waggle.export.unaccounted"), 1);
    value("waggle.export.queued", {{"exporter", "otlp"}}).add(1);
    ledger.rest(ledger.handed(), true);
    EXPECT_EQ(self.value("waggle.export.unaccounted"), 0);
}

}  // namespace
}  // namespace waggle::agent
