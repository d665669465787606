// SPDX-License-Identifier: Apache-2.0
// Many NATS, MQTT, DNS and JSON-RPC exchanges of both ends, several under way at a time and answered in any order,
// whose answers are known: every span says what its own answer said, or that it is not whole. In the second test calls
// are lost anywhere; a pair is never wrong then either.
#include <gtest/gtest.h>

#include <map>

#include "base/strings.h"
#include "protocols/testing/worlds.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::testing {
namespace {

using namespace std::string_literals;

// What one end asks, and the other answers: with an error that the number tells, or well.
struct Speech {
    std::string (*ask)(std::uint64_t number, std::size_t size);
    std::string (*answer)(std::uint64_t number, std::size_t size, bool is_error);
    std::string (*error)(std::uint64_t number);
    std::uint64_t (*number)(const spans::Span& span);  // 0: none of these
    // Calls that ask nothing, one for each end.
    std::string (*noise)(bool is_client, std::size_t size);
    std::string opening;
    std::string opening_answer;
    // What the span says of its answer, empty when all is well.
    std::string (*said)(const spans::Span& span) = [](const spans::Span& span) {
        return std::string(span.attributes.text(attr::error_type));
    };
};

std::string big_endian(std::uint64_t value, unsigned bytes) {
    std::string text;
    for (unsigned i = bytes; i-- > 0;) text += static_cast<char>(value >> 8 * i & 0xff);
    return text;
}

std::uint64_t tail_number(std::string_view text) {
    const std::size_t at = text.find_last_not_of("0123456789");
    return parse_int<std::uint64_t>(text.substr(at == std::string_view::npos ? 0 : at + 1)).value_or(0);
}

// Bodies look like messages, for whoever begins in the midst of them.
std::string filled(const std::string& lure, std::size_t size) {
    std::string text;
    while (text.size() < size) text += lure;
    return text.substr(0, size);
}

std::string nats(const std::string& line, const std::string& headers, std::size_t size) {
    const std::string body = headers + filled("-ERR 'wrong'\r\nMSG wrong 1 1\r\nx\r\n", size);
    const std::string sizes =
        headers.empty() ? std::to_string(size) : std::to_string(headers.size()) + " " + std::to_string(body.size());
    return (headers.empty() ? "" : "H") + line + " " + sizes + "\r\n" + body + "\r\n";
}
std::string nats_status(std::uint64_t number) { return std::to_string(400 + number % 97); }

const Speech kNats{
    .ask =
        [](std::uint64_t n, std::size_t size) {
            return nats("PUB q" + std::to_string(n) + " _INBOX.r" + std::to_string(n), "", size);
        },
    .answer =
        [](std::uint64_t n, std::size_t size, bool is_error) {
            return nats("MSG _INBOX.r" + std::to_string(n) + " 1",
                        is_error ? "NATS/1.0 " + nats_status(n) + "\r\n\r\n" : "", size);
        },
    .error = nats_status,
    .number = [](const spans::Span& span) { return span.name.starts_with("request") ? tail_number(span.name) : 0; },
    .noise =
        [](bool is_client, std::size_t size) {
            return is_client ? nats("PUB noise", "", size) : nats("MSG noise 1", "", size) + "PING\r\n";
        },
    .opening = "CONNECT {\"verbose\":false}\r\n",
    .opening_answer = "PONG\r\n"};

std::string mqtt(int first, const std::string& body) {
    std::string length;
    for (std::size_t rest = body.size();;) {
        const std::size_t digit = rest & 127;
        rest >>= 7;
        length += static_cast<char>(digit | (rest ? 128 : 0));
        if (rest == 0) break;
    }
    return static_cast<char>(first) + length + body;
}
std::string mqtt_text(const std::string& text) { return big_endian(text.size(), 2) + text; }
// Numbers are used again: 512 of them.
std::string mqtt_id(std::uint64_t number) { return big_endian(1 + number % 512, 2); }

const Speech kMqtt{
    .ask =
        [](std::uint64_t n, std::size_t size) {
            return mqtt(0x32,
                        mqtt_text("q" + std::to_string(n)) + mqtt_id(n) + "\0"s + filled("\x40\3\0\1\x97"s, size));
        },
    .answer =
        [](std::uint64_t n, std::size_t, bool is_error) {
            return mqtt(0x40, mqtt_id(n) + (is_error ? std::string(1, n % 2 ? '\x97' : '\x87') + "\0"s : ""s));
        },
    .error = [](std::uint64_t n) { return n % 2 ? "quota_exceeded"s : "not_authorized"s; },
    .number = [](const spans::Span& span) { return span.name.starts_with("publish q") ? tail_number(span.name) : 0; },
    .noise =
        [](bool is_client, std::size_t size) {
            return mqtt(0x30, mqtt_text("noise") + "\0"s + std::string(size, 'x')) +
                   (is_client ? "\xc0\0"s : "\xd0\0"s);
        },
    .opening = mqtt(0x10, mqtt_text("MQTT") + "\5\2\0\x3c\0"s + mqtt_text("me")),
    .opening_answer = mqtt(0x20, "\0\0\0"s)};

std::string dns(const std::string& id, const std::string& flags, const std::string& label, std::size_t size) {
    const std::string message = id + flags + "\0\1\0\0\0\0\0\1"s + static_cast<char>(label.size()) + label +
                                "\7example\0\0\1\0\1"s + filled("\0\x1d\0\1\x81\x82\0\1\0\0\0\0\0\0\5wrong"s, size);
    return big_endian(message.size(), 2) + message;
}
std::string dns_code(std::uint64_t number) {
    return std::vector<std::string>{"FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"}[number % 5];
}

const Speech kDns{
    .ask = [](std::uint64_t n, std::size_t size) { return dns(mqtt_id(n), "\1\x20"s, "q" + std::to_string(n), size); },
    .answer =
        [](std::uint64_t n, std::size_t size, bool is_error) {
            return dns(mqtt_id(n), "\x81"s + static_cast<char>(0x80 + (is_error ? 1 + n % 5 : 0)),
                       "q" + std::to_string(n), size);
        },
    .error = dns_code,
    .number =
        [](const spans::Span& span) {
            const std::string_view name = span.attributes.text(attr::dns_question_name);
            return name.starts_with('q') ? tail_number(name.substr(0, name.find('.'))) : 0;
        },
    .noise = [](bool, std::size_t) { return std::string(); },
    .opening = dns("\0\0"s, "\1\x20"s, "opening", 0),
    .opening_answer = dns("\0\0"s, "\x81\x80"s, "opening", 0),
    .said =
        [](const spans::Span& span) {
            const std::string_view code = span.attributes.text(attr::waggle_dns_response_code);
            return std::string(code == "NOERROR" ? "" : code);
        }};

// Texts look like the end of a document and the beginning of another.
std::string json_filler(std::size_t size) { return "\"" + filled(R"(\"}{\"id\":1,)", size / 13 * 13) + "\""; }

const Speech kJsonRpc{
    .ask =
        [](std::uint64_t n, std::size_t size) {
            return R"({"jsonrpc":"2.0","params":[)" + json_filler(size) + R"(],"method":"q)" + std::to_string(n) +
                   R"(","id":)" + std::to_string(n) + "}\n";
        },
    .answer =
        [](std::uint64_t n, std::size_t size, bool is_error) {
            const std::string what =
                is_error ? R"("error":{"data":)" + json_filler(size) + R"(,"code":)" + std::to_string(n) + "}"
                         : R"("result":)" + json_filler(size);
            return R"({"jsonrpc":"2.0",)" + what + R"(,"id":)" + std::to_string(n) + "}\n";
        },
    .error = [](std::uint64_t n) { return std::to_string(n); },
    .number = [](const spans::Span& span) { return span.name.starts_with("q") ? tail_number(span.name) : 0; },
    .noise =
        [](bool, std::size_t size) {
            return R"({"jsonrpc":"2.0","method":"noise","params":)" + json_filler(size) + "}\n";
        },
    .opening = R"({"jsonrpc":"2.0","method":"opening","id":0})"
               "\n",
    .opening_answer = R"({"jsonrpc":"2.0","id":0,"result":1})"
                      "\n"};

class TwoWayWorld final : public World {
  public:
    TwoWayWorld(std::uint64_t seed, const Speech& speech, double loss) : World(seed, loss), speech_(speech) {}

  private:
    void talk() override {
        say(true, speech_.opening, 0);
        say(false, speech_.opening_answer, 0);
        tick(5'000'000);
        std::vector<std::uint64_t> open;
        for (int turn = 0; turn < 25; ++turn) {
            std::string text;
            for (std::uint64_t i = random_.below(4); i > 0; --i) {
                ask(++last_question_);
                open.push_back(last_question_);
                is_error_[last_question_] = random_.chance(0.5);
                text += speech_.ask(last_question_, size());
                if (random_.chance(0.3)) text += speech_.noise(true, size());
            }
            say_in_calls(true, text);
            if (turn == 24) end_asking();
            text.clear();
            while (!open.empty() && random_.chance(turn == 24 ? 1 : 0.7)) {
                const std::size_t which = random_.below(open.size());
                text += speech_.answer(open[which], size(), is_error_[open[which]]);
                open.erase(open.begin() + static_cast<std::ptrdiff_t>(which));
                if (random_.chance(0.3)) text += speech_.noise(false, size());
            }
            say_in_calls(false, text);
            if (random_.chance(0.5)) tick(5'000'000);
        }
    }

    std::size_t size() { return random_.chance(0.05) ? random_.below(9'000) : random_.below(60); }
    bool may_be_late(bool /*is_client*/) const override { return true; }

    Reading read(const spans::Span& span) override {
        const std::uint64_t number = speech_.number(span);
        if (number == 0) return {};
        const std::string said = speech_.said(span);
        const std::string answer = is_error_[number] ? speech_.error(number) : "";
        const bool is_whole = span.incomplete == spans::Incomplete::No;
        const bool is_sure = is_whole && span.attributes.text(attr::waggle_unknown).empty();
        if (is_sure || (!said.empty() && said != "connection_closed")) {
            EXPECT_EQ(said, answer);
        }
        return {number, is_sure, is_whole && !is_sure};
    }

    const Speech& speech_;
    std::map<std::uint64_t, bool> is_error_;
    std::uint64_t last_question_ = 0;
};

void play(const Speech& speech, double loss, std::uint64_t seeds) {
    play_worlds([&](std::uint64_t seed) { return TwoWayWorld(seed, speech, loss); }, seeds, 30, loss > 0 ? 1 : 1000);
}

TEST(NatsProperty, PairsAreRight) { play(kNats, 0, 4); }
TEST(NatsProperty, NoPairIsWrongWhenCallsAreLost) { play(kNats, 0.01, 6); }
TEST(MqttProperty, PairsAreRight) { play(kMqtt, 0, 10); }
TEST(MqttProperty, NoPairIsWrongWhenCallsAreLost) { play(kMqtt, 0.01, 15); }
TEST(DnsProperty, PairsAreRight) { play(kDns, 0, 10); }
TEST(DnsProperty, NoPairIsWrongWhenCallsAreLost) { play(kDns, 0.01, 15); }
TEST(JsonRpcProperty, PairsAreRight) { play(kJsonRpc, 0, 10); }
TEST(JsonRpcProperty, NoPairIsWrongWhenCallsAreLost) { play(kJsonRpc, 0.01, 15); }

}  // namespace
}  // namespace waggle::protocols::testing
