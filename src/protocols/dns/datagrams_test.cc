// SPDX-License-Identifier: Apache-2.0
#include "protocols/dns/datagrams.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "protocols/tracker.h"
#include "spans/attribute_names.h"
#include "spans/certainty.h"

namespace waggle::protocols::dns {
namespace {

constexpr std::uint64_t kMs = 1'000'000;
constexpr std::uint16_t kAnswer = 0x8180;

std::string number(std::uint16_t value) { return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)}; }

std::string message(std::uint16_t id, std::string_view label, std::uint16_t flags = 0x0100, std::uint16_t type = 1) {
    std::string bytes = number(id) + number(flags) + number(1) + number(0) + number(0) + number(0);
    bytes += static_cast<char>(label.size());
    return bytes + std::string(label) + std::string(1, '\0') + number(type) + number(1);
}

struct Peer {
    std::uint8_t host = 53;
    std::uint16_t port = 53;
    bool is_known = true;
};
constexpr Peer kNobody{.is_known = false};

class DnsDatagrams : public testing::Test {
  protected:
    void move(wg_direction direction, const std::string& bytes, std::uint64_t ms, Peer peer = {},
              std::uint64_t socket = 1, int error = 0) {
        wg_datagram_event event{};
        event.head = {.type = WG_EVENT_DATAGRAM, .version = WG_EVENT_VERSION, .length = 0, .time_ns = ms * kMs};
        event.socket = socket;
        event.pid = 100;
        event.direction = direction;
        event.error = -error;
        for (std::uint8_t* address : {event.tuple.local_address, event.tuple.remote_address})
            address[10] = address[11] = 0xff;
        event.tuple.local_port = 40000;
        if (peer.is_known) {
            event.flags = WG_DATAGRAM_PEER;
            event.tuple.remote_address[12] = peer.host;
            event.tuple.remote_address[15] = peer.host;
            event.tuple.remote_port = peer.port;
        }
        event.size = static_cast<std::uint32_t>(bytes.size());
        event.captured = static_cast<std::uint32_t>(std::min<std::size_t>(bytes.size(), 512));
        event.head.length = static_cast<std::uint32_t>(sizeof(event) + event.captured);
        std::string record(reinterpret_cast<const char*>(&event), sizeof(event));
        record += bytes.substr(0, event.captured);
        tracker_.on_event(std::as_bytes(std::span(record)), batch_);
    }
    void send(const std::string& bytes, std::uint64_t ms, Peer peer = {}, std::uint64_t socket = 1) {
        move(WG_SEND, bytes, ms, peer, socket);
    }
    void receive(const std::string& bytes, std::uint64_t ms, Peer peer = {}, std::uint64_t socket = 1) {
        move(WG_RECEIVE, bytes, ms, peer, socket);
    }

    // What the spans say, one a line.
    std::vector<std::string> told(std::uint64_t until_ms = 0) {
        if (until_ms) tracker_.on_tick(until_ms * kMs, batch_);
        tracker_.release(batch_);
        std::vector<std::string> lines;
        for (const spans::Span& span : batch_) {
            std::string line(span.kind == spans::SpanKind::Client ? "client" : "server");
            line += " " + std::string(span.name) + " " + std::to_string((span.end_ns - span.start_ns) / kMs);
            for (const std::string_view key :
                 {attr::dns_question_name, attr::waggle_dns_response_code, attr::error_type, attr::server_address,
                  attr::client_address, attr::network_transport})
                if (const auto* text = span.attributes.find(key))
                    line += " " + std::string(std::get<std::string_view>(*text));
            if (const auto* retries = span.attributes.find(attr::waggle_dns_retries))
                line += " retries=" + std::to_string(std::get<std::int64_t>(*retries));
            if (span.attributes.find(attr::waggle_dns_truncated)) line += " truncated";
            if (span.incomplete != spans::Incomplete::No)
                line += " " + std::string(spans::incomplete_name(span.incomplete));
            lines.push_back(line);
        }
        batch_.clear();
        return lines;
    }
    std::uint64_t lost(Cause cause) const {
        std::uint64_t sum = 0;
        for (const Counts& counts : tracker_.counts()) sum += counts.of(cause);
        return sum;
    }

    Tracker tracker_{TrackerConfig{}};
    spans::SpanBatch batch_;
};

using Lines = std::vector<std::string>;

TEST_F(DnsDatagrams, TellsAQuestionWithItsAnswer) {
    send(message(7, "Shop"), 10);
    receive(message(7, "shop", kAnswer), 13);
    EXPECT_EQ(told(), Lines{"client DNS A 3 shop NOERROR 53.0.0.53 udp"});
    receive(message(8, "shop"), 20, {.host = 9, .port = 4444});
    send(message(8, "shop", kAnswer | 3), 21, {.host = 9, .port = 4444});
    EXPECT_EQ(told(), Lines{"server DNS A 1 shop NXDOMAIN 9.0.0.9 udp"});
}

TEST_F(DnsDatagrams, PairsByIdWhereBothAnswersAreAwaited) {
    send(message(1, "shop"), 0);
    send(message(2, "shop", 0x0100, 28), 0);
    receive(message(2, "shop", kAnswer | 2, 28), 4);
    receive(message(1, "shop", kAnswer), 6);
    EXPECT_EQ(told(), (Lines{"client DNS AAAA 4 shop SERVFAIL SERVFAIL 53.0.0.53 udp",
                             "client DNS A 6 shop NOERROR 53.0.0.53 udp"}));
}

TEST_F(DnsDatagrams, CountsTheSameQuestionAgainAsARetry) {
    send(message(1, "shop"), 0);
    send(message(1, "shop"), 5000);
    receive(message(1, "shop", kAnswer | 0x0200), 5001);
    EXPECT_EQ(told(), Lines{"client DNS A 5001 shop NOERROR 53.0.0.53 udp retries=1 truncated"});
    receive(message(1, "shop", kAnswer), 5002);
    EXPECT_TRUE(told(5200).empty());
    EXPECT_EQ(lost(Cause::Unmatched), 1u);
}

// The same words under another id, socket or name are another question; another server's answer is none.
TEST_F(DnsDatagrams, TakesNoOtherAnswer) {
    send(message(1, "shop"), 0);
    receive(message(2, "shop", kAnswer), 1);
    receive(message(1, "mail", kAnswer), 1);
    receive(message(1, "shop", kAnswer), 1, {.host = 99});
    receive(message(1, "shop", kAnswer), 1, {}, 2);
    EXPECT_TRUE(told(500).empty());
    EXPECT_EQ(lost(Cause::Unmatched), 4u);
    EXPECT_EQ(told(10001), Lines{"client DNS A 10000 shop timeout 53.0.0.53 udp timeout"});
}

TEST_F(DnsDatagrams, AServerThatDoesNotAnswerHasNotFailed) {
    receive(message(1, "shop"), 0, {.host = 9, .port = 4444});
    EXPECT_EQ(told(10001), Lines{"server DNS A 10000 shop 9.0.0.9 udp timeout"});
}

TEST_F(DnsDatagrams, SaysWhatTheKernelSaidOfIt) {
    send(message(1, "shop"), 0);
    send(message(1, "shop"), 0, {}, 2);
    move(WG_RECEIVE, "", 2, {}, 1, ECONNREFUSED);
    EXPECT_EQ(told(), Lines{"client DNS A 2 shop connection_refused 53.0.0.53 udp"});
}

// A socket without a peer: tracepoints do not tell where a message came from.
TEST_F(DnsDatagrams, FindsClientsByTheirAnswers) {
    receive(message(1, "shop"), 0, kNobody);
    receive(message(1, "mail"), 0, kNobody);
    receive(message(2, "shop"), 0, kNobody);
    send(message(2, "shop", kAnswer), 3, {.host = 9, .port = 4444});
    send(message(1, "mail", kAnswer), 4, {.host = 8, .port = 4444});
    send(message(1, "shop", kAnswer), 5, {.host = 7, .port = 4444});
    EXPECT_EQ(told(), (Lines{"server DNS A 3 shop NOERROR 9.0.0.9 udp", "server DNS A 4 mail NOERROR 8.0.0.8 udp",
                             "server DNS A 5 shop NOERROR 7.0.0.7 udp"}));
}

// Two clients may use one id for the same words.
TEST_F(DnsDatagrams, GivesNobodyAnAnswerThatMayBeAnothers) {
    receive(message(1, "shop"), 0, kNobody);
    receive(message(1, "shop"), 1, kNobody);
    send(message(1, "shop", kAnswer), 3, {.host = 9, .port = 4444});
    send(message(1, "shop", kAnswer), 3, {.host = 8, .port = 4444});
    Lines both = told();
    std::ranges::sort(both);
    EXPECT_EQ(both, (Lines{"server DNS A 2 shop udp not_captured", "server DNS A 3 shop udp not_captured"}));
    EXPECT_EQ(lost(Cause::Unmatched), 2u);
    // Where the addresses are known they are two.
    receive(message(1, "shop"), 10, {.host = 9, .port = 4444});
    receive(message(1, "shop"), 11, {.host = 8, .port = 4444});
    send(message(1, "shop", kAnswer), 12, {.host = 8, .port = 4444});
    send(message(1, "shop", kAnswer), 13, {.host = 9, .port = 4444});
    EXPECT_EQ(told(), (Lines{"server DNS A 1 shop NOERROR 8.0.0.8 udp", "server DNS A 3 shop NOERROR 9.0.0.9 udp"}));
}

// One lookup that asks several servers at once: whose answer it was is not known.
TEST_F(DnsDatagrams, LeavesTheServerOutWhereSeveralWereAsked) {
    send(message(1, "shop"), 0, {.host = 1});
    send(message(1, "shop"), 0, {.host = 2});
    receive(message(1, "shop", kAnswer), 3, kNobody);
    EXPECT_EQ(told(), Lines{"client DNS A 3 shop NOERROR udp retries=1"});
}

TEST_F(DnsDatagrams, WaitsForAQuestionThatIsReportedLate) {
    receive(message(1, "shop", kAnswer), 3);
    send(message(1, "shop"), 2);
    EXPECT_EQ(told(500), Lines{"client DNS A 1 shop NOERROR 53.0.0.53 udp"});
    EXPECT_EQ(lost(Cause::Unmatched), 0u);
}

TEST_F(DnsDatagrams, PassesOverWhatIsNoLookup) {
    send("hello there, this is no question", 0);
    EXPECT_EQ(lost(Cause::UnknownProtocol), 1u);
    send(message(0, "printer"), 0, {.host = 224, .port = 5353});
    send(message(3, "zone", 0x2800, 6), 0);  // an update
    EXPECT_TRUE(told(20000).empty());
    EXPECT_EQ(lost(Cause::UnknownProtocol), 1u);
}

TEST_F(DnsDatagrams, EndsWhatIsOpenWithTheAgent) {
    send(message(1, "shop"), 0);
    EXPECT_EQ(tracker_.open_exchanges(), 1u);
    tracker_.finish(5 * kMs, batch_);
    EXPECT_EQ(told(), Lines{"client DNS A 5 shop 53.0.0.53 udp agent_stop"});
}

}  // namespace
}  // namespace waggle::protocols::dns
