// SPDX-License-Identifier: Apache-2.0
// Talks: what the ends of a connection say, and the spans that come of it. Lines of a talk:
//   > text    client bytes, with C escapes; \R{x,5000} is 5000 times x; \L{x} is x after four bytes with the
//             length of both; \N{x} after four with its own; \M{n:x} is x after three bytes with its length and one
//             with n (MySQL); \s is a blank; lines of one side are one message
//   < text    server bytes
//   ~ 5000    bytes of the side before that are in no buffer (sendfile): a hole
//   > @…      HTTP/2 frames (testing/frames.h), < @… likewise
//   = k=v …   an expected span, in order: attributes, name, incomplete, trace_id, parent, flags, trace_state;
//             -k: it has no such attribute; client:k=v, server:k=v: only there
//   ! switched: what follows is another protocol's, or encrypted
//   ! attached: the connection was there before the agent; ! forget: what stands above was before it
//   ! close, ! tick, ! pause, ! stop; ! lost cause=n …: losses that must be counted (without the line: none)
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/strings.h"
#include "protocols/protocol.h"
#include "protocols/testing/frames.h"

namespace waggle::protocols::testing {

inline constexpr std::string_view kCauses[] = {"parse_invalid", "hole",       "unmatched",
                                               "rule_cut",      "queue_full", "unknown_protocol",
                                               "encrypted",     "compressed", "memory_limit"};
static_assert(std::size(kCauses) == static_cast<std::size_t>(Cause::kCount));

struct TalkStep {
    char what = 0;  // > < ~ !
    bool is_client = false;
    std::string text;
    std::size_t size = 0;
};

struct TalkFile {
    std::vector<TalkStep> steps;
    std::vector<std::vector<std::string>> spans;
    std::array<std::uint64_t, std::size(kCauses)> lost{};
    std::size_t bytes = 0;
    bool is_attached = false;           // the connection is older than the agent
    std::array<FrameWriter, 2> frames;  // of server and client
};

// Where the brace that stands at `open` is closed.
inline std::size_t brace_end(std::string_view text, std::size_t open) {
    std::size_t depth = 0;
    for (std::size_t i = open; i < text.size(); ++i) {
        depth += text[i] == '{';
        if (text[i] == '}' && --depth == 0) return i;
    }
    throw std::invalid_argument("a brace is not closed");
}

inline std::string unescape(std::string_view text) {
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
        } else if (c == 'L' || c == 'N') {
            const std::size_t close = brace_end(text, i + 1);
            const std::string inner = unescape(text.substr(i + 2, close - i - 2));
            const std::size_t length = inner.size() + (c == 'L' ? 4 : 0);
            for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(length >> shift & 0xff);
            out += inner;
            i = close;
        } else if (c == 'M') {
            const std::size_t close = brace_end(text, i + 1);
            const std::size_t colon = text.find(':', i);
            const std::string inner = unescape(text.substr(colon + 1, close - colon - 1));
            const auto number = parse_int<std::uint8_t>(text.substr(i + 2, colon - i - 2));
            for (int shift = 0; shift < 24; shift += 8) out += static_cast<char>(inner.size() >> shift & 0xff);
            out += static_cast<char>(number.value());
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

inline void read_line(std::string_view line, TalkFile& talk) {
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
    } else if (what == '!' && rest == "attached") {
        talk.is_attached = true;
    } else if (what == '!' && rest == "forget") {
        // What went before was not seen.
        talk.steps.clear();
    } else if (what == '!') {
        talk.steps.push_back({what, false, std::string(rest), 0});
    } else if (what == '~') {
        talk.steps.push_back({what, is_client, std::string(parse_int<std::size_t>(rest).value(), '\0'), 0});
    } else {
        EXPECT_TRUE(what == '>' || what == '<') << line;
        if (talk.steps.empty() || talk.steps.back().what != what) talk.steps.push_back({what, is_client, {}, 0});
        talk.steps.back().text += rest.starts_with('@') ? talk.frames[is_client].line(rest) : unescape(rest);
    }
}

inline TalkFile read_talk(const std::filesystem::path& path) {
    std::ifstream file(path);
    TalkFile talk;
    for (std::string line; std::getline(file, line);) read_line(line, talk);
    for (const TalkStep& step : talk.steps)
        if (step.what == '>' || step.what == '<') talk.bytes += step.text.size();
    return talk;
}

inline std::vector<std::filesystem::path> talks() {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(WAGGLE_SOURCE_DIR "/src/protocols"))
        if (entry.path().extension() == ".talk") paths.push_back(entry.path());
    std::ranges::sort(paths);
    return paths;
}

}  // namespace waggle::protocols::testing
