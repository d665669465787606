// SPDX-License-Identifier: Apache-2.0
#include "agent/account.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "agent/live.h"
#include "agent/status_page.h"

namespace waggle::agent {
namespace {

struct AccountTest : ::testing::Test {
    void set(const char* name, metrics::SelfMetrics::Labels labels, std::int64_t value) {
        self.gauge(name, std::move(labels)).set(value);
    }
    Account read() const { return read_account(self); }

    metrics::SelfMetrics self;
};

TEST_F(AccountTest, HasTheProtocolsThatWereSeen) {
    set("waggle.requests.seen", {{"protocol", "http"}}, 10);
    set("waggle.requests.seen", {{"protocol", "redis"}}, 0);
    set("waggle.requests.ended", {{"end", "exported"}, {"protocol", "http"}}, 9);
    set("waggle.requests.in_flight", {{"protocol", "http"}}, 1);
    const Account account = read();
    ASSERT_EQ(account.protocols.size(), 1u);
    EXPECT_EQ(account.total().seen, 10);
    EXPECT_EQ(account.total().ends.at("exported"), 9);
    EXPECT_TRUE(is_balanced(account));
}

TEST_F(AccountTest, ADifferenceIsNoBalance) {
    set("waggle.requests.unaccounted", {{"protocol", "http"}}, -1);
    EXPECT_FALSE(is_balanced(read()));
}

TEST_F(AccountTest, ADifferenceOfTheExportIsNoBalance) {
    set("waggle.export.unaccounted", {}, 1);
    EXPECT_FALSE(is_balanced(read()));
}

TEST_F(AccountTest, EachLossHasAHint) {
    set("waggle.requests.missed", {{"cause", "ring_full"}}, 3);
    set("waggle.requests.ended", {{"end", "channel_full"}, {"protocol", "http"}}, 4);
    set("waggle.turns.lost", {{"cause", "hole"}, {"protocol", "http"}}, 5);
    set("waggle.export.dropped", {{"cause", "export_failed"}, {"exporter", "otlp"}, {"signal", "spans"}}, 6);
    set("waggle.connections.refused", {}, 7);
    set("waggle.events.lost", {{"cause", "ring_full_close"}}, 8);
    set("waggle.events.lost", {{"cause", "program_busy"}}, 9);
    set("waggle.events.lost", {{"cause", "process_program_busy"}}, 10);
    set("waggle.tls.unbound", {{"cause", "no_socket"}}, 11);
    set("waggle.tls.unbound", {{"cause", "no_room"}}, 12);
    const Account account = read();
    EXPECT_FALSE(is_balanced(account));
    std::int64_t amounts = 0;
    for (const Loss& loss : losses(account)) {
        EXPECT_FALSE(loss.hint.empty()) << loss.cause;
        amounts += loss.amount;
    }
    EXPECT_EQ(amounts, 3 + 4 + 5 + 6 + 7 + 8 + 9 + 10 + 11 + 12);
}

TEST_F(AccountTest, WhatCanNeverBeReadIsNoLoss) {
    set("waggle.turns.lost", {{"cause", "encrypted"}, {"protocol", "http"}}, 3);
    set("waggle.turns.lost", {{"cause", "unmatched"}, {"protocol", "http"}}, 3);
    set("waggle.export.dropped", {{"cause", "superseded"}, {"exporter", "otlp"}, {"signal", "metrics"}}, 3);
    EXPECT_TRUE(is_balanced(read()));
}

TEST_F(AccountTest, TheStatusPageIsReadBack) {
    set("waggle.requests.seen", {{"protocol", "http"}}, 10);
    set("waggle.requests.ended", {{"end", "aggregated"}, {"protocol", "http"}}, 8);
    set("waggle.requests.ended", {{"end", "channel_full"}, {"protocol", "http"}}, 2);
    set("waggle.overload.step", {}, 2);
    set("waggle.requests.missed", {{"cause", "ring_full"}}, 3);
    set("waggle.capture.lost", {{"cause", "ring_full"}}, 400);
    const std::string page = status_json(read(), {.is_ready = true,
                                                  .uptime_s = 12.5,
                                                  .sensors = {{.name = "sockets",
                                                               .state = sensors::SensorState::Active,
                                                               .chosen = "tp_btf",
                                                               .reasons = {},
                                                               .cost_of_absence = {}}}});
    const auto report = read_status(page);
    ASSERT_TRUE(report.has_value()) << report.error().message;
    EXPECT_FALSE(report->is_balanced);
    EXPECT_GT(report->pid, 0u);
    for (const char* part :
         {"for 12 s, attached", "http                   10", "channel_full",
          "3 turns of requests and 400 bytes: 3 ring_full", "raise ebpf.ring_bytes", "one trace in ten", "by tp_btf"})
        EXPECT_NE(report->text.find(part), std::string::npos) << part << "\n" << report->text;
    EXPECT_EQ(nlohmann::json::parse(report->json)["requests"]["seen"], 10);
}

TEST(Live, RefusesWhatIsNoStatusPage) {
    for (const char* page : {"", "[]", "{}", "ok\n", R"({"pid":"x"})", R"({"pid":1,"is_balanced":"yes","protocols":3})",
                             R"({"pid":1,"is_balanced":true,"losses":[3]})"})
        EXPECT_FALSE(read_status(page).has_value()) << page;
}

TEST(Live, AsksWhereTheConfigurationListens) {
    config::Config config;
    EXPECT_FALSE(ask_agent(config).has_value());
    config.prometheus.port = 9464;
    config.prometheus.address = "::1";
    config.health_port = 80;
    EXPECT_EQ(status_urls(config),
              (std::vector<std::string>{"http://[::1]:9464/status", "http://127.0.0.1:80/status"}));
}

}  // namespace
}  // namespace waggle::agent
