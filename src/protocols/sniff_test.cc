// SPDX-License-Identifier: Apache-2.0
// Who speaks: every talk's bytes are offered to every protocol, at every cut, and so is what is none of ours.
#include <gtest/gtest.h>

#include <random>

#include "protocols/testing/beginnings.h"
#include "protocols/testing/talk.h"

namespace waggle::protocols::testing {
namespace {

const Protocol& named(std::string_view name) {
    for (const Protocol* protocol : all())
        if (protocol->name == name) return *protocol;
    ADD_FAILURE() << "no protocol " << name;
    return *all()[0];
}

// A folder is called like its protocol, or nearly: http1 is "http", postgres is "postgresql". An upgrade begins in
// http.
std::string_view protocol_of(const std::filesystem::path& path) {
    if (path.filename() == "h2c.talk") return "http";
    const std::string folder = path.parent_path().parent_path().filename().string();
    for (const Protocol* protocol : all())
        if (protocol->name == folder) return protocol->name;
    for (const Protocol* protocol : all())
        if (protocol->name.starts_with(folder) || folder.starts_with(protocol->name)) return protocol->name;
    return {};
}

// The first side that says yes at some cut.
bool says_yes(const Protocol& protocol, std::string_view bytes) {
    for (std::size_t size = 0; size <= std::min<std::size_t>(bytes.size(), 1500); ++size)
        for (const Side side : {Side::Request, Side::Response})
            if (protocol.sniff(bytes.substr(0, size), side) == Sniff::Yes) return true;
    return false;
}

TEST(SniffMatrix, NobodyTakesTheTalksOfOthers) {
    for (const auto& path : talks()) {
        const std::string_view own = protocol_of(path);
        ASSERT_FALSE(own.empty()) << path;
        bool is_switched = false;
        for (const TalkStep& step : read_talk(path).steps) {
            is_switched |= step.text == "switched";
            if (step.what != '>' && step.what != '<') continue;
            // What follows an upgrade is another protocol's.
            is_switched |= step.text.find("101 Switching") != std::string::npos;
            if (is_switched) break;
            for (const Protocol* protocol : all())
                if (protocol->name != own) {
                    EXPECT_FALSE(says_yes(*protocol, step.text)) << protocol->name << " takes " << path;
                }
        }
    }
}

// After a loss a stream goes on anywhere in a message. A JSON-RPC message that HTTP carries is one.
TEST(SniffMatrix, NobodyTakesTheMiddlesOfOthers) {
    constexpr std::size_t kMostOffsets = 1200;
    for (const auto& path : talks()) {
        const std::string_view own = protocol_of(path);
        bool is_switched = false;
        for (const TalkStep& step : read_talk(path).steps) {
            is_switched |= step.text == "switched" || step.text.find("101 Switching") != std::string::npos;
            if (step.what != '>' && step.what != '<') continue;
            if (is_switched) break;
            const std::string_view text = step.text;
            for (std::size_t offset = 1; offset < std::min(kMostOffsets, text.size()); ++offset)
                for (const Protocol* protocol : all()) {
                    if (protocol->name == own || (own == "http" && protocol->name == "jsonrpc")) continue;
                    for (const std::size_t size : {std::size_t{24}, std::size_t{4096}})
                        for (const Side side : {Side::Request, Side::Response})
                            EXPECT_NE(protocol->sniff(text.substr(offset, size), side), Sniff::Yes)
                                << protocol->name << " takes " << path << " from " << offset << ": "
                                << ::testing::PrintToString(text.substr(offset, 40));
                }
        }
    }
}

TEST(SniffMatrix, TheFirstRequestOfATalkIsKnown) {
    for (const auto& path : talks()) {
        const TalkFile talk = read_talk(path);
        const Protocol& own = named(protocol_of(path));
        const TalkStep& first = talk.steps.at(0);
        EXPECT_EQ(own.sniff(first.text, first.is_client ? Side::Request : Side::Response), Sniff::Yes) << path;
    }
}

TEST(SniffMatrix, EveryProtocolIsFuzzed) {
    for (const Protocol* protocol : all()) {
        if (protocol->name == "http" || protocol->name == "http2") continue;  // have fuzz targets of their own
        EXPECT_TRUE(std::ranges::any_of(kBeginnings, [&](std::string_view beginning) {
            return protocol->sniff(beginning, Side::Request) == Sniff::Yes;
        })) << protocol->name;
    }
}

TEST(SniffMatrix, OtherProtocolsAreNobodys) {
    using namespace std::string_view_literals;
    const std::string_view kOthers[] = {
        // TLS, nearly Kafka, nearly MongoDB, AMQP 1.0, SSH, FTP, nearly SMTP, nearly NATS, nearly MQTT, nearly DNS,
        // nearly FastCGI
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x12\x34"sv,
        "\0\0\0\x04\0\x01\0\0\0\0\0\x01\0\0\0\x04\0\x01\0\0\0\0\0\x02"sv,
        "\x3a\0\0\0\x01\0\0\0\0\0\0\0\xd5\x07\0\0\0\0\0\0admin.$cmd\0\0\0\0\0\xff\xff\xff\xff"sv,
        "AMQP\0\1\0\0"sv,
        "SSH-2.0-OpenSSH_9.2\r\n"sv,
        "220 shop.example FTP server ready\r\n"sv,
        "EHLO\r\n"sv,
        "PUB orders many\r\nx\r\n"sv,
        "MSG of the day: all is well\r\n"sv,
        "\x30\x0a\0\x05"
        "a/#xx\r\n."sv,
        "\x10\x0c\0\x04MQTX\x04\x02\0\x3c\0\0"sv,
        "\0\x1d\0\x01\x01\x20\0\x01\0\0\0\0\0\0\x04shop\x07"
        "exa ple\0\0\x01\0\x01"sv,
        "\x01\x01\0\x01\0\x08\0\0\0\x04\0\0\0\0\0\0"sv,
    };
    for (const std::string_view bytes : kOthers)
        for (const Protocol* protocol : all())
            EXPECT_FALSE(says_yes(*protocol, bytes)) << protocol->name << " takes " << bytes;
    const std::string zeros(2000, '\0');
    for (const Protocol* protocol : all()) EXPECT_FALSE(says_yes(*protocol, zeros)) << protocol->name;
}

TEST(SniffMatrix, RandomBytesAreNobodys) {
    std::mt19937_64 random(1);
    std::string bytes(64, '\0');
    for (int i = 0; i < 20000; ++i) {
        // Small numbers look like lengths and types.
        for (char& c : bytes) c = static_cast<char>(random() % (i % 2 ? 256 : 10));
        for (const Protocol* protocol : all())
            for (const Side side : {Side::Request, Side::Response})
                ASSERT_NE(protocol->sniff(bytes, side), Sniff::Yes) << protocol->name << " at " << i;
    }
}

}  // namespace
}  // namespace waggle::protocols::testing
