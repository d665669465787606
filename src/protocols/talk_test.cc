// SPDX-License-Identifier: Apache-2.0
// Plays every src/protocols/<name>/talks/*.talk: as its server and as its client, each message in one
// call, byte by byte, and cut in two at every position. Lines of a talk:
//   > text    client bytes, with C escapes; \R{x,5000} is 5000 times x; \L{x} is x after four bytes with the
//             length of both; \s is a blank; lines of one side are one message
//   < text    server bytes
//   ~ 5000    bytes of the side before that are in no buffer (sendfile): a hole
//   = k=v …   an expected span, in order: attributes, name, incomplete, trace_id, parent, trace_state;
//             -k: it has no such attribute; client:k=v, server:k=v: only there
//   ! switched: what follows is another protocol's, or encrypted
//   ! close, ! tick, ! stop; ! lost cause=n …: losses that must be counted (without the line: none)
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/strings.h"
#include "protocols/testing/socket.h"

namespace waggle::protocols::testing {
namespace {

constexpr std::string_view kCauses[] = {"parse_invalid", "hole", "unmatched", "rule_cut", "queue_full", "unknown_protocol"};
static_assert(std::size(kCauses) == static_cast<std::size_t>(Cause::kCount));

struct Step {
    char what = 0;  // > < ~ !
    bool is_client = false;
    std::string text;
    std::size_t size = 0;
};

struct Talk {
    std::vector<Step> steps;
    std::vector<std::vector<std::string>> spans;
    std::array<std::uint64_t, std::size(kCauses)> lost{};
    std::size_t bytes = 0;
};

// Where the brace that stands at `open` is closed.
std::size_t brace_end(std::string_view text, std::size_t open) {
    std::size_t depth = 0;
    for (std::size_t i = open; i < text.size(); ++i) {
        depth += text[i] == '{';
        if (text[i] == '}' && --depth == 0) return i;
    }
    throw std::invalid_argument("a brace is not closed");
}

std::string unescape(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\') {
            out += text[i];
            continue;
        }
        const char c = text.at(++i);
        if (c == 'R') {
            const std::size_t comma = text.find(',', i + 2);
            const std::size_t close = text.find('}', comma);
            const auto count = parse_int<std::size_t>(text.substr(comma + 1, close - comma - 1));
            for (std::size_t n = 0; n < count.value(); ++n) out += unescape(text.substr(i + 2, comma - i - 2));
            i = close;
        } else if (c == 'L') {
            const std::size_t close = brace_end(text, i + 1);
            const std::string inner = unescape(text.substr(i + 2, close - i - 2));
            for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>((inner.size() + 4) >> shift & 0xff);
            out += inner;
            i = close;
        } else if (c == 'x') {
            out += static_cast<char>(parse_int<unsigned>(text.substr(i + 1, 2), 16).value());
            i += 2;
        } else {
            out += c == 'r' ? '\r' : c == 'n' ? '\n' : c == 't' ? '\t' : c == 's' ? ' ' : c == '0' ? '\0' : c;
        }
    }
    return out;
}

void read_line(std::string_view line, Talk& talk) {
    if (line.empty() || line[0] == '#') return;
    const char what = line[0];
    const std::string_view rest = line.size() > 2 ? line.substr(2) : std::string_view{};
    const bool is_client = what == '>' || (what == '~' && talk.steps.back().is_client);
    if (what == '=') {
        auto& span = talk.spans.emplace_back();
        for (const std::string_view word : split(rest, ' '))
            if (!word.empty()) span.emplace_back(word);
    } else if (what == '!' && rest.starts_with("lost ")) {
        for (const std::string_view word : split(rest.substr(5), ' ')) {
            const std::size_t equals = word.find('=');
            const auto cause = std::ranges::find(kCauses, word.substr(0, equals));
            talk.lost.at(static_cast<std::size_t>(cause - std::begin(kCauses))) =
                parse_int<std::uint64_t>(word.substr(equals + 1)).value();
        }
    } else if (what == '!') {
        talk.steps.push_back({what, false, std::string(rest), 0});
    } else if (what == '~') {
        talk.steps.push_back({what, is_client, std::string(parse_int<std::size_t>(rest).value(), '\0'), 0});
    } else {
        ASSERT_TRUE(what == '>' || what == '<') << line;
        if (talk.steps.empty() || talk.steps.back().what != what) talk.steps.push_back({what, is_client, {}, 0});
        talk.steps.back().text += unescape(rest);
    }
}

Talk read_talk(const std::filesystem::path& path) {
    std::ifstream file(path);
    Talk talk;
    for (std::string line; std::getline(file, line);) read_line(line, talk);
    for (const Step& step : talk.steps)
        if (step.what == '>' || step.what == '<') talk.bytes += step.text.size();
    return talk;
}

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
    if (key == "trace_state") return std::string(span.trace_state);
    if (key == "incomplete") key = "waggle.incomplete";
    const spans::Value* value = span.attributes.find(key);
    if (!value) return {};
    return std::visit(Show{}, *value);
}

class Play {
  public:
    Play(const Talk& talk, wg_role role) : talk_(talk), host_({.options = {}, .threads_are_contexts = {}}) {
        host_.add({.role = role});
    }

    // cut: position among all text at which a call ends; npos: nowhere; is_bytewise: everywhere.
    void run(std::size_t cut, bool is_bytewise) {
        std::size_t at = 0;
        for (const Step& step : talk_.steps) {
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
                }
            }
        }
        control("tick");
    }

    void check(std::string_view role) {
        const spans::SpanBatch& batch = host_.batch();
        ASSERT_EQ(batch.size(), talk_.spans.size());
        for (std::size_t i = 0; i < batch.size(); ++i) {
            for (std::string_view wanted : talk_.spans[i]) {
                if (const std::size_t colon = wanted.find(':'); wanted.starts_with("client:") || wanted.starts_with("server:")) {
                    if (wanted.substr(0, colon) != role) continue;
                    wanted.remove_prefix(colon + 1);
                }
                if (wanted[0] == '-') {
                    EXPECT_EQ(fact(batch.begin()[i], wanted.substr(1)), std::nullopt) << "span " << i << ": " << wanted;
                    continue;
                }
                const std::size_t equals = wanted.find('=');
                const auto seen = fact(batch.begin()[i], wanted.substr(0, equals));
                EXPECT_EQ(seen.value_or("nothing"), unescape(wanted.substr(equals + 1))) << "span " << i << ": " << wanted;
            }
        }
        // A connection may go from one protocol to another.
        Counts sum;
        for (const Counts& counts : host_.tracker().counts()) {
            for (std::size_t cause = 0; cause < talk_.lost.size(); ++cause) sum.by_cause[cause] += counts.by_cause[cause];
            sum.seen += counts.seen;
            sum.exported += counts.exported;
        }
        for (std::size_t cause = 0; cause < talk_.lost.size(); ++cause)
            EXPECT_EQ(sum.by_cause[cause], talk_.lost[cause]) << kCauses[cause];
        EXPECT_EQ(sum.seen, sum.exported + host_.tracker().open_exchanges());
    }

  private:
    void move(const Step& step, std::string_view bytes) {
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
        } else {
            ASSERT_EQ(what, "tick");
        }
        host_.tick(now_ns_);
    }

    const Talk& talk_;
    Host host_;
    std::uint64_t now_ns_ = 1'000'000'000;
};

std::vector<std::filesystem::path> talks() {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(WAGGLE_SOURCE_DIR "/src/protocols"))
        if (entry.path().extension() == ".talk") paths.push_back(entry.path());
    std::ranges::sort(paths);
    return paths;
}

class TalkTest : public ::testing::TestWithParam<std::filesystem::path> {};

TEST_P(TalkTest, GivesItsSpansHoweverItIsCut) {
    const Talk talk = read_talk(GetParam());
    ASSERT_FALSE(talk.steps.empty());
    for (const wg_role role : {WG_ROLE_SERVER, WG_ROLE_CLIENT}) {
        const std::string_view name = role == WG_ROLE_SERVER ? "server" : "client";
        const auto play = [&](std::size_t cut, bool is_bytewise) {
            SCOPED_TRACE(std::string(name) + (is_bytewise ? " byte by byte" : " cut at " + std::to_string(cut)));
            Play one(talk, role);
            one.run(cut, is_bytewise);
            one.check(name);
            return !::testing::Test::HasFailure();
        };
        if (!play(0, false) || !play(0, true)) return;
        // Long texts are cut at some hundred places.
        const std::size_t step = 1 + talk.bytes / 2000;
        for (std::size_t cut = 1; cut < talk.bytes; cut += step)
            if (!play(cut, false)) return;
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

// Every protocol's talks offered to every other sniffer, at every cut, from either side.
TEST(Sniffers, DoNotClaimTheTalksOfOthers) {
    for (const auto& path : talks()) {
        const std::string folder = path.parent_path().parent_path().filename().string();
        ASSERT_TRUE(std::ranges::any_of(all(), [&](const Protocol* one) { return is_of(*one, folder); })) << folder;
        for (const Step& step : read_talk(path).steps) {
            if (step.text == "switched") break;
            if (step.what != '>' && step.what != '<') continue;
            const std::string_view text = std::string_view(step.text).substr(0, 8192);
            for (std::size_t cut = 1; cut <= text.size(); cut += cut < 1024 ? 1 : 101)
                ASSERT_EQ(first_claim(text.substr(0, cut), folder), "") << path << ": " << text.substr(0, std::min<std::size_t>(cut, 100));
        }
    }
}

TEST(Sniffers, DoNotClaimRandomBytes) {
    std::uint64_t state = 88172645463325252u;
    const auto next = [&] {
        state ^= state << 13;
        state ^= state >> 7;
        return state ^= state << 17;
    };
    constexpr std::string_view kTextual = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:;-_/*$+=\r\n\0\0";
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
