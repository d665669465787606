// SPDX-License-Identifier: Apache-2.0
#include "agent/summary.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace waggle::agent {
namespace {

Summary::Row row(std::string service, double per_second = 10) {
    return {.service = std::move(service),
            .protocol = "http",
            .side = "server",
            .per_second = per_second,
            .error_share = 0.5,
            .p50_s = 0.00012,
            .p99_s = 1.5,
            .total = 100};
}

// The lines of a screen without its escape sequences.
std::vector<std::string> lines_of(std::string_view screen) {
    std::vector<std::string> lines(1);
    for (std::size_t i = 0; i < screen.size(); ++i) {
        if (screen[i] == '\x1b') {
            while (i < screen.size() &&
                   !((screen[i] >= 'A' && screen[i] <= 'Z') || (screen[i] >= 'a' && screen[i] <= 'z')))
                ++i;
        } else if (screen[i] == '\n') {
            lines.emplace_back();
        } else if (screen[i] != '\r') {
            lines.back() += screen[i];
        }
    }
    lines.pop_back();
    return lines;
}

std::size_t width_of(const std::string& line) {
    return static_cast<std::size_t>(std::ranges::count_if(line, [](char c) { return (c & 0xc0) != 0x80; }));
}

TEST(Summary, CountsByServiceProtocolAndSide) {
    Summary summary;
    spans::SpanBatch batch;
    auto resource = std::make_shared<spans::Resource>();
    resource->service_name = "shop";
    for (int i = 0; i < 10; ++i) {
        spans::Span& span = batch.add();
        span.resource = resource;
        span.protocol = "http";
        span.kind = i < 6 ? spans::SpanKind::Server : spans::SpanKind::Client;
        span.end_ns = span.start_ns + 1'000'000;
        if (i == 0) span.status = spans::Status::Error;
    }
    summary.record(batch);
    const auto rows = summary.take(2.0);
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0].side, "server");
    EXPECT_DOUBLE_EQ(rows[0].per_second, 3);
    EXPECT_NEAR(rows[0].error_share, 1.0 / 6, 1e-9);
    EXPECT_NEAR(rows[0].p50_s, 0.001, 0.0002);
    // Silent now: the total stays.
    const auto later = summary.take(1.0);
    EXPECT_EQ(later[0].total + later[1].total, 10u);
    EXPECT_EQ(later[0].per_second, 0);
}

TEST(Summary, NoLineIsWiderOrLowerThanTheScreen) {
    std::vector<Summary::Row> rows;
    for (int i = 0; i < 50; ++i) rows.push_back(row("a-service-with-quite-a-long-name-" + std::to_string(i)));
    Status status{.watched = 12345, .open = 678, .port = 9464};
    for (int i = 0; i < 9; ++i) status.undecoded["other" + std::to_string(i)] = {.connections = 3, .bytes = 70'000};
    for (const Screen screen : {Screen{80, 24}, Screen{200, 50}, Screen{40, 10}, Screen{10, 3}}) {
        const auto lines = lines_of(render_live(rows, status, screen));
        EXPECT_LT(lines.size(), static_cast<std::size_t>(screen.height));
        for (const std::string& line : lines) EXPECT_LE(width_of(line), static_cast<std::size_t>(screen.width)) << line;
    }
}

TEST(Summary, ShowsTotalsLossesAndWhatNobodyCouldRead) {
    Status status{.watched = 2};
    status.account.protocols["http"] = {
        .seen = 100, .ends = {{"exported", 90}, {"channel_full", 4}}, .turns_lost = {{"encrypted", 7}}};
    status.account.missed = {{"ring_full", 3}};
    status.undecoded["redis"] = {.connections = 1, .bytes = 70'000};
    status.undecoded["quiet"] = {.connections = 2, .bytes = 16};
    const std::string screen = render_live({row("shop", 30), row("cart", 10)}, status, {.width = 100, .height = 24});
    constexpr const char* kBooks =
        "seen 100 · exported 90 · lost: 3 request turns by ring_full, 4 requests by channel_full\n";
    EXPECT_EQ(lines_of(screen)[1] + "\n", kBooks);
    EXPECT_NE(screen.find("40.0   50.0%"), std::string::npos) << screen;
    EXPECT_NE(screen.find("redis: 1 connections, 70 kB of no known protocol"), std::string::npos);
    EXPECT_EQ(screen.find("quiet"), std::string::npos);
    EXPECT_EQ(render_lines({}, status), kBooks);
}

TEST(Summary, ANameMovesNoCursor) {
    const std::string screen = render_live({row("\x1b[2Jevil\n")}, {}, {.width = 100, .height = 24});
    EXPECT_EQ(screen.find("\x1b[2J"), std::string::npos);
    EXPECT_NE(screen.find("?[2Jevil?"), std::string::npos);
}

}  // namespace
}  // namespace waggle::agent
