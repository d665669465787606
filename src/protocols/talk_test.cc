// SPDX-License-Identifier: Apache-2.0
// Plays every src/protocols/<name>/talks/*.talk (testing/talk.h says what stands there): as its server and as its
// client, each message in one call, byte by byte, and cut in two at every position; short ones also by a tick, after
// which other capture rules may hold.
#include <gtest/gtest.h>

#include <filesystem>

#include "protocols/testing/host.h"
#include "protocols/testing/requests.h"
#include "protocols/testing/talk.h"
#include "spans/certainty.h"

namespace waggle::protocols::testing {
namespace {

std::string hex(std::span<const std::uint8_t> bytes) {
    std::string text(2 * bytes.size(), '0');
    spans::write_hex(bytes.data(), bytes.size(), text.data());
    return text;
}

struct Show {
    std::string operator()(std::int64_t value) const { return std::to_string(value); }
    std::string operator()(double value) const { return std::to_string(value); }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(std::string_view value) const { return std::string(value); }
};

// What a span says of a key, nothing when it has no such attribute.
std::optional<std::string> fact(const spans::Span& span, std::string_view key) {
    if (key == "name") return std::string(span.name);
    if (key == "trace_id") return hex(span.trace_id.bytes);
    if (key == "parent") return hex(span.parent_span_id.bytes);
    if (key == "flags") return std::to_string(span.flags);
    if (key == "trace_state") return std::string(span.trace_state);
    if (key == "incomplete" || key == "waggle.role") {
        const std::string_view text =
            key == "incomplete" ? spans::incomplete_name(span.incomplete) : spans::role_name(span.has_unknown_role);
        return text.empty() ? std::nullopt : std::optional<std::string>(text);
    }
    const spans::Value* value = span.attributes.find(key);
    if (!value) return {};
    return std::visit(Show{}, *value);
}

class Play {
  public:
    Play(const TalkFile& talk, wg_role role) : talk_(talk), host_({.options = {}, .threads_are_contexts = {}}) {
        host_.add({.role = role, .is_attached = talk.is_attached});
    }

    // cut: position among all text at which a call ends; npos: nowhere; is_bytewise: everywhere. has_tick: then comes
    // one.
    void run(std::size_t cut, bool is_bytewise, bool has_tick) {
        std::size_t at = 0;
        for (const TalkStep& step : talk_.steps) {
            if (step.what == '!') {
                control(step.text);
            } else if (step.what == '~') {
                move(step, step.text);
            } else {
                std::string_view text = step.text;
                while (!text.empty()) {
                    std::size_t size = is_bytewise ? 1 : text.size();
                    if (cut > at && cut < at + text.size()) size = cut - at;
                    move(step, text.substr(0, size));
                    text.remove_prefix(size);
                    at += size;
                    if (has_tick && at == cut) host_.tick(now_ns_);
                }
            }
        }
        control("tick");
    }

    void check(std::string_view role) {
        const spans::SpanBatch& batch = host_.batch();
        const std::vector<const spans::Span*> spans = requests_in(batch);
        ASSERT_EQ(spans.size(), talk_.spans.size());
        for (std::size_t i = 0; i < spans.size(); ++i) {
            for (std::string_view wanted : talk_.spans[i]) {
                if (const std::size_t colon = wanted.find(':');
                    wanted.starts_with("client:") || wanted.starts_with("server:")) {
                    if (wanted.substr(0, colon) != role) continue;
                    wanted.remove_prefix(colon + 1);
                }
                if (wanted[0] == '-') {
                    EXPECT_EQ(fact(*spans[i], wanted.substr(1)), std::nullopt) << "span " << i << ": " << wanted;
                    continue;
                }
                const std::size_t equals = wanted.find('=');
                const auto seen = fact(*spans[i], wanted.substr(0, equals));
                EXPECT_EQ(seen.value_or("nothing"), unescape(wanted.substr(equals + 1)))
                    << "span " << i << ": " << wanted;
            }
        }
        const Counts counts = sum(host_.tracker().counts());
        for (std::size_t cause = 0; cause < talk_.lost.size(); ++cause)
            EXPECT_EQ(counts.by_cause[cause], talk_.lost[cause]) << kCauses[cause];
        EXPECT_EQ(counts.seen, counts.exported + host_.tracker().open_exchanges());
        check_protocols(batch);
    }

  private:
    // Of each protocol: what was seen is open or a span, and each span is known as one of its own.
    void check_protocols(const spans::SpanBatch& batch) {
        std::vector<std::uint64_t> spans(all().size() + 1);
        for (const spans::Span* span : requests_in(batch)) ++spans[counted_as(span->protocol)];
        const std::vector<std::uint64_t> open = host_.tracker().unreported();
        for (std::size_t i = 0; i < all().size(); ++i) {
            const Counts& counts = host_.tracker().counts()[i];
            EXPECT_EQ(counts.exported, spans[i]) << all()[i]->name;
            EXPECT_EQ(counts.seen, counts.exported + open[i]) << all()[i]->name;
        }
    }

    void move(const TalkStep& step, std::string_view bytes) {
        Socket& socket = host_.socket(1);
        const bool is_server = socket.options().role == WG_ROLE_SERVER;
        now_ns_ += 1'000'000;
        Move move = socket.moved(step.is_client == is_server ? WG_RECEIVE : WG_SEND, std::string(bytes), now_ns_);
        move.is_unreadable = step.what == '~';
        host_.report(socket, move);
    }

    void control(std::string_view what) {
        now_ns_ += 200'000'000;
        if (what == "close") {
            host_.report_end(host_.socket(1), now_ns_);
            host_.report_close(host_.socket(1), now_ns_);
            host_.tick(now_ns_);
            now_ns_ += 5'000'000;
        } else if (what == "switched") {
            return;
        } else if (what == "stop") {
            host_.tracker().finish(now_ns_, host_.batch());
            return;
        } else if (what == "pause") {
            now_ns_ += 2'000'000'000;
        } else {
            ASSERT_EQ(what, "tick");
        }
        host_.tick(now_ns_);
    }

    const TalkFile& talk_;
    Host host_;
    std::uint64_t now_ns_ = 1'000'000'000;
};

class TalkTest : public ::testing::TestWithParam<std::filesystem::path> {};

TEST_P(TalkTest, GivesItsSpansHoweverItIsCut) {
    const TalkFile talk = read_talk(GetParam());
    ASSERT_FALSE(talk.steps.empty());
    for (const wg_role role : {WG_ROLE_SERVER, WG_ROLE_CLIENT}) {
        const std::string_view name = role == WG_ROLE_SERVER ? "server" : "client";
        const auto play = [&](std::size_t cut, bool is_bytewise, bool has_tick = false) {
            SCOPED_TRACE(std::string(name) + (is_bytewise ? " byte by byte" : " cut at " + std::to_string(cut)) +
                         (has_tick ? " by a tick" : ""));
            Play one(talk, role);
            one.run(cut, is_bytewise, has_tick);
            one.check(name);
            return !::testing::Test::HasFailure();
        };
        if (!play(0, false) || !play(0, true)) return;
        // Long texts are cut at some hundred places.
        const std::size_t step = 1 + talk.bytes / 2000;
        for (std::size_t cut = 1; cut < talk.bytes; cut += step)
            if (!play(cut, false) || (step == 1 && !play(cut, false, true))) return;
    }
}

INSTANTIATE_TEST_SUITE_P(Talks, TalkTest, ::testing::ValuesIn(talks()), [](const auto& info) {
    std::string name = info.param.parent_path().parent_path().filename().string() + "_" + info.param.stem().string();
    std::ranges::replace_if(name, [](unsigned char c) { return !std::isalnum(c); }, '_');
    return name;
});

// The protocol of a folder: http1 is http's, postgres is postgresql's.
bool is_of(const Protocol& protocol, std::string_view folder) {
    return folder.starts_with(protocol.name) || protocol.name.starts_with(folder);
}

std::string_view first_claim(std::string_view bytes, std::string_view folder) {
    for (const Protocol* protocol : all()) {
        if (is_of(*protocol, folder)) continue;
        for (const Side side : {Side::Request, Side::Response})
            if (protocol->sniff(bytes, side) == Sniff::Yes) return protocol->name;
    }
    return {};
}

TEST(Sniffers, DoNotClaimRandomBytes) {
    std::uint64_t state = 88172645463325252u;
    const auto next = [&] {
        state ^= state << 13;
        state ^= state >> 7;
        return state ^= state << 17;
    };
    constexpr std::string_view kTextual =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:;-_/*$+=\r\n\0\0";
    for (int round = 0; round < 200'000; ++round) {
        std::string bytes(1 + next() % 96, '\0');
        const bool is_textual = round % 2 == 0;
        for (char& c : bytes) c = is_textual ? kTextual[next() % kTextual.size()] : static_cast<char>(next());
        ASSERT_EQ(first_claim(bytes, "nobody's"), "") << ::testing::PrintToString(bytes);
    }
}

TEST(Talks, CoverTheForms) { EXPECT_GE(talks().size(), 25u); }

}  // namespace
}  // namespace waggle::protocols::testing
