// SPDX-License-Identifier: Apache-2.0
#include "protocols/nats/wire.h"

#include <algorithm>
#include <array>

#include "base/strings.h"

namespace waggle::protocols::nats {
namespace {

constexpr std::uint64_t kMaxMessage = 64u << 20;  // what a server can be told to take at most

struct Row {
    std::string_view word;
    Verb verb;
};
constexpr auto kVerbs = std::to_array<Row>({{"INFO", Verb::Info},
                                            {"CONNECT", Verb::Connect},
                                            {"PUB", Verb::Publish},
                                            {"HPUB", Verb::Publish},
                                            {"SUB", Verb::Subscribe},
                                            {"UNSUB", Verb::Unsubscribe},
                                            {"MSG", Verb::Message},
                                            {"HMSG", Verb::Message},
                                            {"PING", Verb::Ping},
                                            {"PONG", Verb::Pong},
                                            {"+OK", Verb::Ok},
                                            {"-ERR", Verb::Error},
                                            // What servers say to each other.
                                            {"RS+", Verb::Route},
                                            {"RS-", Verb::Route},
                                            {"RMSG", Verb::Route},
                                            {"A+", Verb::Route},
                                            {"A-", Verb::Route},
                                            {"LS+", Verb::Route},
                                            {"LS-", Verb::Route},
                                            {"LMSG", Verb::Route}});

constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }

// Words of a line; more than five is none of ours.
struct Words {
    std::array<std::string_view, 5> of;
    std::size_t count = 0;
    bool are_too_many = false;

    explicit Words(std::string_view text) {
        for (std::size_t at = 0; at < text.size();) {
            if (is_blank(text[at])) {
                ++at;
                continue;
            }
            std::size_t end = at;
            while (end < text.size() && !is_blank(text[end])) ++end;
            if (count == of.size()) {
                are_too_many = true;
                return;
            }
            of[count++] = text.substr(at, end - at);
            at = end;
        }
    }
};

// No blank and no control character stands in a subject.
bool is_subject(std::string_view text) {
    return !text.empty() && text.size() <= 1024 &&
           std::ranges::all_of(text, [](unsigned char c) { return c > 0x20 && c != 0x7f; });
}

// The sizes stand last; before them subject and reply, with the subscription's id between where there is one.
bool read_message(const Words& words, bool has_headers, bool has_id, Line& line) {
    const std::size_t least = (has_headers ? 3u : 2u) + (has_id ? 1u : 0u);
    if (words.are_too_many || words.count < least || words.count > least + 1) return false;
    std::size_t at = 0;
    line.subject = words.of[at++];
    if (has_id) line.id = words.of[at++];
    if (words.count > least) line.reply = words.of[at++];
    if (has_headers) {
        const auto headers = parse_int<std::uint64_t>(words.of[at++]);
        if (!headers) return false;
        line.headers = *headers;
    }
    const auto size = parse_int<std::uint64_t>(words.of[at]);
    if (!size || *size > kMaxMessage || line.headers > *size) return false;
    line.size = *size;
    line.has_body = true;
    return is_subject(line.subject) && (line.reply.empty() || is_subject(line.reply));
}

bool read_arguments(std::string_view word, std::string_view text, Line& line) {
    if (line.verb == Verb::Info || line.verb == Verb::Connect) {
        line.text = text;
        return text.starts_with('{');
    }
    if (line.verb == Verb::Error) {
        line.text = trim(text, "' \t");
        return true;
    }
    if (line.verb == Verb::Route) return true;
    const Words words(text);
    const bool has_headers = to_lower(word[0]) == 'h';
    switch (line.verb) {
        case Verb::Publish:
            return read_message(words, has_headers, false, line);
        case Verb::Message:
            return read_message(words, has_headers, true, line);
        case Verb::Subscribe:
            if (words.are_too_many || words.count < 2 || words.count > 3) return false;
            line.subject = words.of[0];
            if (words.count == 3) line.queue = words.of[1];
            line.id = words.of[words.count - 1];
            return is_subject(line.subject);
        case Verb::Unsubscribe:
            if (words.are_too_many || words.count < 1 || words.count > 2) return false;
            line.id = words.of[0];
            return true;
        default:
            return words.count == 0;
    }
}

}  // namespace

std::expected<Line, Stop> read_line(std::string_view bytes, bool is_final) {
    // The longest word is CONNECT.
    std::size_t word_end = 0;
    while (word_end < bytes.size() && word_end <= 8 && !is_blank(bytes[word_end]) && bytes[word_end] != '\r')
        ++word_end;
    const std::string_view word = bytes.substr(0, word_end);
    const bool is_whole_word = word_end < bytes.size();
    const auto row = std::ranges::find_if(kVerbs, [&](const Row& one) {
        return is_whole_word ? equals_ignoring_case(one.word, word)
                             : equals_ignoring_case(one.word.substr(0, word.size()), word);
    });
    if (row == kVerbs.end()) return std::unexpected(Stop::Invalid);
    Line line{.verb = row->verb};
    const bool is_greeting = line.verb == Verb::Info || line.verb == Verb::Connect;
    const std::size_t most = is_greeting ? kMaxGreeting : kMaxLine;
    const std::size_t end = is_whole_word ? bytes.substr(0, most).find("\r\n") : std::string_view::npos;
    if (end == std::string_view::npos)
        return std::unexpected(bytes.size() < most || is_final ? Stop::NeedMore : Stop::Invalid);
    line.length = end + 2;
    const std::string_view text = trim(bytes.substr(word_end, end - word_end));
    if (!read_arguments(word, text, line)) return std::unexpected(Stop::Invalid);
    return line;
}

Headers read_headers(std::string_view bytes) {
    Headers headers;
    constexpr std::string_view kVersion = "NATS/1.0";
    if (!bytes.starts_with(kVersion)) return headers;
    bytes.remove_prefix(kVersion.size());
    // As " 503" or " 408 Request Timeout".
    if (bytes.size() >= 4 && bytes[0] == ' ') headers.status = parse_int<std::uint16_t>(bytes.substr(1, 3)).value_or(0);
    for (;;) {
        const std::size_t next = bytes.find("\r\n");
        if (next == std::string_view::npos) return headers;
        bytes.remove_prefix(next + 2);
        const std::size_t colon = bytes.find(':');
        const std::size_t end = bytes.find("\r\n");
        if (end == std::string_view::npos) return headers;
        if (colon > end || !equals_ignoring_case(bytes.substr(0, colon), "traceparent")) continue;
        headers.trace = spans::parse_traceparent(trim(bytes.substr(colon + 1, end - colon - 1)));
    }
}

std::string_view error_name(std::string_view text) {
    static constexpr std::array<std::array<std::string_view, 2>, 15> kNames = {{
        {"permissions violation", "permissions_violation"},
        {"authorization violation", "authorization_violation"},
        {"authorization timeout", "authorization_timeout"},
        {"authentication timeout", "authentication_timeout"},
        {"authentication expired", "authentication_expired"},
        {"user authentication expired", "authentication_expired"},
        {"user authentication revoked", "authentication_revoked"},
        {"unknown protocol operation", "unknown_protocol_operation"},
        {"invalid publish subject", "invalid_publish_subject"},
        {"invalid subject", "invalid_subject"},
        {"maximum payload", "maximum_payload_violation"},
        {"maximum connections", "maximum_connections_exceeded"},
        {"maximum subscriptions", "maximum_subscriptions_exceeded"},
        {"slow consumer", "slow_consumer"},
        {"stale connection", "stale_connection"},
    }};
    for (const auto& [words, name] : kNames)
        if (equals_ignoring_case(text.substr(0, words.size()), words)) return name;
    return "_OTHER";
}

// 'Permissions Violation for Publish to "orders"'
std::string_view error_subject(std::string_view text) {
    const std::size_t open = text.find('"');
    if (open == std::string_view::npos) return {};
    const std::size_t close = text.find('"', open + 1);
    if (close == std::string_view::npos) return {};
    const std::string_view subject = text.substr(open + 1, close - open - 1);
    return is_subject(subject) ? subject : std::string_view{};
}

// The greetings; of an older connection a whole line that moves a message. PING, PONG and +OK may be anybody's.
Sniff sniff(std::string_view bytes, Side side) {
    if (bytes.empty()) return Sniff::NeedMore;
    const auto starts = [&](std::string_view words) {
        const std::size_t size = std::min(words.size(), bytes.size());
        return bytes.substr(0, size) == words.substr(0, size);
    };
    const std::string_view greeting = side == Side::Request ? "CONNECT {\"" : "INFO {\"";
    if (starts(greeting)) return bytes.size() < greeting.size() ? Sniff::NeedMore : Sniff::Yes;
    const auto kWords = side == Side::Request ? std::array<std::string_view, 2>{"PUB ", "HPUB "}
                                              : std::array<std::string_view, 2>{"MSG ", "HMSG "};
    if (!std::ranges::any_of(kWords, starts)) return Sniff::No;
    const auto line = read_line(bytes, false);
    if (!line) return line.error() == Stop::NeedMore ? Sniff::NeedMore : Sniff::No;
    // The end of the payload is proof that it is one, where it is here.
    const std::size_t end = line->length + line->size;
    if (bytes.size() >= end + 2) return bytes.substr(end, 2) == "\r\n" ? Sniff::Yes : Sniff::No;
    return bytes.size() < line->length + 16 && bytes.size() < 1024 ? Sniff::NeedMore : Sniff::Yes;
}

}  // namespace waggle::protocols::nats
