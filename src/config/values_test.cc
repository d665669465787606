// SPDX-License-Identifier: Apache-2.0
#include "config/values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace waggle::config {
namespace {

using testing::ElementsAre;
using testing::Pair;

TEST(Values, ReadsGoDurations) {
    const std::pair<std::string_view, Duration> cases[] = {
        {"0", 0s},      {"300ms", 300ms},  {"5s", 5s},   {"1m30s", 90s},     {"1.5h", 90min},
        {"70m", 70min}, {"2us", 2us},      {"2µs", 2us}, {"10ns", 10ns},     {".5s", 500ms},
        {"+1s", 1s},    {"1h1m1s", 3661s}, {"0s", 0s},   {"1s500ms", 1500ms}};
    for (const auto& [text, expected] : cases) {
        const Result<Duration> parsed = parse_duration(text);
        ASSERT_TRUE(parsed) << text;
        EXPECT_EQ(*parsed, expected) << text;
    }
}

TEST(Values, RejectsWhatIsNoGoDuration) {
    for (const std::string_view text : {"", "5", "s", "5 s", "5x", "-5s", "1.2.3s", "5s3", "999999999h", "1e3s", "."})
        EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(Values, PrintsDurationsThatReadBack) {
    for (const Duration duration : {Duration{0}, Duration{1}, Duration{500ms}, Duration{70min}, Duration{3661s + 5us}})
        EXPECT_EQ(*parse_duration(format_duration(duration)), duration);
    EXPECT_EQ(format_duration(70min), "1h10m");
    EXPECT_EQ(format_duration(500ms), "500ms");
}

TEST(Values, ReadsGoBooleans) {
    for (const std::string_view text : {"1", "t", "T", "TRUE", "true", "True"})
        EXPECT_EQ(parse_bool(text), true) << text;
    for (const std::string_view text : {"0", "f", "F", "FALSE", "false", "False"})
        EXPECT_EQ(parse_bool(text), false) << text;
    for (const std::string_view text : {"", "yes", "tRUE", "2", " 1"}) EXPECT_FALSE(parse_bool(text)) << text;
}

TEST(Values, ReadsPortLists) {
    const Result<PortSet> one = parse_ports("80");
    ASSERT_TRUE(one);
    EXPECT_TRUE(one->contains(80));
    EXPECT_FALSE(one->contains(8080));
    const Result<PortSet> many = parse_ports(" 80 , 443,8000 - 8999 ");
    ASSERT_TRUE(many);
    for (const int port : {80, 443, 8000, 8999}) EXPECT_TRUE(many->contains(static_cast<std::uint16_t>(port))) << port;
    for (const int port : {81, 9000, 7999}) EXPECT_FALSE(many->contains(static_cast<std::uint16_t>(port))) << port;
    EXPECT_EQ(format_ports(*many), "80,443,8000-8999");
}

TEST(Values, RejectsWhatIsNoPortList) {
    for (const std::string_view text : {"80-", "a", ",80", "80,", "", "65536", "90-80", "-80", "80 81", "1-2-3"})
        EXPECT_FALSE(parse_ports(text)) << text;
}

TEST(Values, ReadsSizes) {
    const std::pair<std::string_view, std::uint64_t> cases[] = {
        {"0", 0},        {"1048576", 1048576}, {"256MiB", 256u << 20}, {"256Mi", 256u << 20},
        {"4 KiB", 4096}, {"1k", 1000},         {"5MB", 5'000'000},     {"2G", 2'000'000'000},
        {"7B", 7},       {"1TiB", 1ull << 40}};
    for (const auto& [text, expected] : cases) {
        const Result<std::uint64_t> parsed = parse_bytes(text);
        ASSERT_TRUE(parsed) << text;
        EXPECT_EQ(*parsed, expected) << text;
    }
    for (const std::string_view text : {"", "MiB", "1x", "1i", "-1", "1.5M", "99999999999TiB", "1MMiB"})
        EXPECT_FALSE(parse_bytes(text)) << text;
    EXPECT_EQ(format_bytes(256u << 20), "256MiB");
    EXPECT_EQ(format_bytes(1000), "1000");
}

TEST(Values, DecodesOpenTelemetryPairs) {
    const KeyValues parsed = parse_key_values(" api-key = a%20b%2C , x=, broken, =v,b=c=d,");
    EXPECT_THAT(parsed.pairs, ElementsAre(Pair("api-key", "a b,"), Pair("x", ""), Pair("b", "c=d")));
    EXPECT_EQ(parsed.malformed, 2u);
    EXPECT_THAT(parse_key_values("a=100%,b=%zz").pairs, ElementsAre(Pair("a", "100%"), Pair("b", "%zz")));
}

TEST(Values, NormalisesMetricNamesAsBeyla) {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"http_server_request_duration_seconds_bucket", "http.server.request.duration"},
        {"http.server.request.duration", "http.server.request.duration"},
        {"process_cpu_utilization_ratio", "process.cpu.utilization"},
        {"beyla_network_flow_bytes_total", "beyla.network.flow"},
        {"beyla_network_flow_bytes", "beyla.network.flow"},
        {"beyla.network.flow", "beyla.network.flow"},
        {"gpu_memory_allocations_bytes_total", "gpu.memory.allocations"}};
    for (const auto& [name, key] : cases) EXPECT_EQ(metric_key(name), key) << name;
}

TEST(Values, QuotesOnlyWhatNeedsIt) {
    EXPECT_EQ(quote("always_on"), "always_on");
    EXPECT_EQ(quote("/metrics"), "/metrics");
    EXPECT_EQ(quote(""), "\"\"");
    EXPECT_EQ(quote("true"), "\"true\"");
    EXPECT_EQ(quote("80"), "\"80\"");
    EXPECT_EQ(quote("a\"b\\c\n\x01"), R"("a\"b\\c\n\x01")");
    EXPECT_EQ(quote_list({"a", "*"}), "[a, \"*\"]");
}

}  // namespace
}  // namespace waggle::config
