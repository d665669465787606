// SPDX-License-Identifier: Apache-2.0
#include "protocols/smtp/lines.h"

#include <algorithm>
#include <array>

#include "base/strings.h"

namespace waggle::protocols::smtp {
namespace {

struct Row {
    std::string_view word;
    Verb verb;
};
constexpr auto kVerbs = std::to_array<Row>({{"EHLO", Verb::Hello},
                                            {"HELO", Verb::Hello},
                                            {"LHLO", Verb::LocalHello},
                                            {"MAIL", Verb::Mail},
                                            {"RCPT", Verb::Recipient},
                                            {"DATA", Verb::Data},
                                            {"BDAT", Verb::Chunk},
                                            {"RSET", Verb::Reset},
                                            {"QUIT", Verb::Quit},
                                            {"STARTTLS", Verb::StartTls},
                                            {"AUTH", Verb::Auth}});

constexpr std::uint64_t kMaxChunk = std::uint64_t{1} << 32;

// The line's end, 0 when it is not here.
std::size_t line_end(std::string_view bytes) {
    const std::size_t end = bytes.substr(0, kMaxLine).find('\n');
    return end == std::string_view::npos ? 0 : end + 1;
}

Stop not_here(std::string_view bytes, bool is_final) {
    return bytes.size() < kMaxLine || is_final ? Stop::NeedMore : Stop::Invalid;
}

bool contains_ignoring_case(std::string_view text, std::string_view word) {
    for (std::size_t at = 0; at + word.size() <= text.size(); ++at)
        if (equals_ignoring_case(text.substr(at, word.size()), word)) return true;
    return false;
}

bool is_printable(std::string_view text) {
    return std::ranges::all_of(text, [](unsigned char c) { return c >= 0x20 && c != 0x7f; });
}

}  // namespace

std::expected<Command, Stop> read_command(std::string_view bytes, bool is_final) {
    const std::size_t end = line_end(bytes);
    if (end == 0) return std::unexpected(not_here(bytes, is_final));
    const std::string_view line = trim(bytes.substr(0, end), "\r\n");
    if (!is_printable(line)) return std::unexpected(Stop::Invalid);
    const std::string_view word = line.substr(0, line.find(' '));
    const auto row = std::ranges::find_if(kVerbs, [&](const Row& one) { return equals_ignoring_case(one.word, word); });
    Command command{.verb = row == kVerbs.end() ? Verb::Other : row->verb, .length = end};
    if (command.verb != Verb::Chunk) return command;
    const std::string_view rest = trim(line.substr(word.size()), " ");
    const std::string_view size = rest.substr(0, rest.find(' '));
    const auto content = parse_int<std::uint64_t>(size);
    if (!content || *content > kMaxChunk) return std::unexpected(Stop::Invalid);
    command.content = *content;
    command.is_last = equals_ignoring_case(trim(rest.substr(size.size()), " "), "last");
    return command;
}

std::expected<ReplyLine, Stop> read_reply(std::string_view bytes, bool is_final) {
    const std::string_view digits = bytes.substr(0, 3);
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (!std::ranges::all_of(digits, is_digit) || (!digits.empty() && (digits[0] < '2' || digits[0] > '5')))
        return std::unexpected(Stop::Invalid);
    if (bytes.size() > 3 && bytes[3] != ' ' && bytes[3] != '-' && bytes[3] != '\r' && bytes[3] != '\n')
        return std::unexpected(Stop::Invalid);
    const std::size_t end = line_end(bytes);
    if (end == 0) return std::unexpected(not_here(bytes, is_final));
    if (end < 4) return std::unexpected(Stop::Invalid);
    return ReplyLine{.code = parse_int<std::uint16_t>(digits).value_or(0), .length = end, .is_last = bytes[3] != '-'};
}

std::size_t content_end(std::string_view bytes, bool is_start) {
    if (is_start && bytes.starts_with(".\r\n")) return 3;
    const std::size_t at = bytes.find("\r\n.\r\n");
    return at == std::string_view::npos ? 0 : at + 5;
}

// A greeting of either end; of an older connection where a transaction begins. What else says 220 (FTP) does not say
// SMTP.
Sniff sniff(std::string_view bytes, Side side) {
    if (bytes.empty()) return Sniff::NeedMore;
    if (side == Side::Request) {
        static constexpr std::array<std::string_view, 4> kWords = {"EHLO ", "HELO ", "LHLO ", "MAIL FROM:"};
        const auto starts = [&](std::string_view word) {
            const std::size_t size = std::min(word.size(), bytes.size());
            return equals_ignoring_case(bytes.substr(0, size), word.substr(0, size));
        };
        if (!std::ranges::any_of(kWords, starts)) return Sniff::No;
    } else {
        constexpr std::string_view kGreeting = "220";
        const std::size_t size = std::min(kGreeting.size(), bytes.size());
        if (bytes.substr(0, size) != kGreeting.substr(0, size)) return Sniff::No;
        if (bytes.size() > 3 && bytes[3] != ' ' && bytes[3] != '-') return Sniff::No;
    }
    const std::size_t end = line_end(bytes);
    const std::string_view line = trim(bytes.substr(0, end ? end : bytes.size()), "\r\n");
    if (!is_printable(line)) return Sniff::No;
    if (end == 0) return bytes.size() < 1024 ? Sniff::NeedMore : Sniff::No;
    if (side == Side::Request) return line.size() > 5 ? Sniff::Yes : Sniff::No;
    return contains_ignoring_case(line, "SMTP") || contains_ignoring_case(line, "LMTP") ? Sniff::Yes : Sniff::No;
}

}  // namespace waggle::protocols::smtp
