// SPDX-License-Identifier: Apache-2.0
#include "protocols/json/scan.h"

#include "base/strings.h"

namespace waggle::protocols::json {
namespace {

constexpr bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
constexpr bool is_of_word(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '+' || c == '.' || c == 'E';
}

// Behind the text that begins with the quote at `at`.
std::expected<std::size_t, Stop> text_end(std::string_view bytes, std::size_t at) {
    for (std::size_t i = at + 1; i < bytes.size(); ++i) {
        const auto c = static_cast<unsigned char>(bytes[i]);
        if (c == '"') return i + 1;
        if (c == '\\')
            ++i;
        else if (c < 0x20)
            return std::unexpected(Stop::Invalid);
    }
    return std::unexpected(Stop::NeedMore);
}

// Behind the number or word at `at`.
std::expected<std::size_t, Stop> word_end(std::string_view bytes, std::size_t at) {
    std::size_t end = at;
    while (end < bytes.size() && end - at <= 64 && is_of_word(bytes[end])) ++end;
    if (end == at || end - at > 64) return std::unexpected(Stop::Invalid);
    if (end == bytes.size()) return std::unexpected(Stop::NeedMore);
    return end;
}

}  // namespace

std::string_view skip_blanks(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size() && is_blank(text[at])) ++at;
    return text.substr(at);
}

std::expected<std::size_t, Stop> value_size(std::string_view bytes) {
    std::uint64_t are_objects = 0;  // a bit for each bracket that is open, the innermost lowest
    unsigned depth = 0;
    for (std::size_t at = 0; at < bytes.size();) {
        const char c = bytes[at];
        if (is_blank(c) || ((c == ',' || c == ':') && depth > 0)) {
            ++at;
            continue;
        }
        if (c == '{' || c == '[') {
            if (depth == kMaxDepth) return std::unexpected(Stop::Invalid);
            are_objects = are_objects << 1 | (c == '{');
            ++depth;
            ++at;
            continue;
        }
        if (c == '}' || c == ']') {
            if (depth == 0 || (are_objects & 1) != (c == '}')) return std::unexpected(Stop::Invalid);
            are_objects >>= 1;
            ++at;
            if (--depth == 0) return at;
            continue;
        }
        const auto end = c == '"' ? text_end(bytes, at) : word_end(bytes, at);
        if (!end) return std::unexpected(end.error());
        at = *end;
        if (depth == 0) return at;
    }
    return std::unexpected(Stop::NeedMore);
}

Members::Members(std::string_view text) : rest_(skip_blanks(text)) {
    is_over_ = !rest_.starts_with('{');
    if (!is_over_) rest_.remove_prefix(1);
}

std::optional<Member> Members::next() {
    if (is_over_) return {};
    const auto stop = [&] {
        is_over_ = true;
        return std::optional<Member>();
    };
    rest_ = skip_blanks(rest_);
    if (rest_.starts_with('}')) {
        is_whole_ = true;
        return stop();
    }
    if (!is_first_) {
        if (!rest_.starts_with(',')) return stop();
        rest_ = skip_blanks(rest_.substr(1));
    }
    is_first_ = false;
    if (!rest_.starts_with('"')) return stop();
    const auto key = text_end(rest_, 0);
    if (!key) return stop();
    Member member{.key = rest_.substr(1, *key - 2), .value = {}};
    rest_ = skip_blanks(rest_.substr(*key));
    if (!rest_.starts_with(':')) return stop();
    rest_ = skip_blanks(rest_.substr(1));
    member.is_text = rest_.starts_with('"');
    const auto size = value_size(rest_);
    if (!size && (size.error() == Stop::Invalid || rest_.empty())) return stop();
    member.is_cut = !size;
    member.value = rest_.substr(0, size.value_or(rest_.size()));
    rest_.remove_prefix(member.value.size());
    if (member.is_text) {
        member.value.remove_prefix(1);
        if (!member.is_cut) member.value.remove_suffix(1);
    }
    is_over_ = member.is_cut;
    return member;
}

std::string text_of(std::string_view written, std::size_t most) {
    std::string text;
    for (std::size_t i = 0; i < written.size() && text.size() < most; ++i) {
        if (written[i] != '\\') {
            text += written[i];
            continue;
        }
        if (++i == written.size()) break;
        switch (written[i]) {
            case 'n':
                text += '\n';
                break;
            case 'r':
                text += '\r';
                break;
            case 't':
                text += '\t';
                break;
            case 'b':
            case 'f':
                text += ' ';
                break;
            case 'u': {
                if (i + 4 >= written.size()) return text;
                const auto code = parse_int<unsigned>(written.substr(i + 1, 4), 16).value_or('?');
                text += code >= 0x20 && code < 0x7f ? static_cast<char>(code) : code < 0x20 ? ' ' : '?';
                i += 4;
                break;
            }
            default:
                text += written[i];
        }
    }
    return text;
}

}  // namespace waggle::protocols::json
