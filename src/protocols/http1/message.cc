// SPDX-License-Identifier: Apache-2.0
#include "protocols/http1/message.h"

#include <array>
#include <cstring>

#include "base/strings.h"

namespace waggle::protocols::http1 {
namespace {

constexpr std::size_t kMaxMethod = 32;
constexpr std::uint64_t kMaxLength = 1ull << 60;  // a position and a length stay below 2^63
constexpr std::string_view kVersion = "HTTP/1.";

// RFC 9110 §5.6.2 token characters.
constexpr std::array<bool, 256> kToken = [] {
    std::array<bool, 256> table{};
    for (const char c : std::string_view("!#$%&'*+-.^_`|~0123456789"
                                         "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))
        table[static_cast<unsigned char>(c)] = true;
    return table;
}();

bool is_letter(char c) { return to_lower(c) >= 'a' && to_lower(c) <= 'z'; }
bool is_token(char c) { return kToken[static_cast<unsigned char>(c)]; }

std::size_t find(std::string_view bytes, char c, std::size_t from) {
    const void* found = std::memchr(bytes.data() + from, c, bytes.size() - from);
    return found ? static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data()) : std::string_view::npos;
}

bool has_list_item(std::string_view list, std::string_view item) {
    for (;;) {
        const std::size_t comma = list.find(',');
        if (equals_ignoring_case(trim(list.substr(0, comma), " \t"), item)) return true;
        if (comma == std::string_view::npos) return false;
        list.remove_prefix(comma + 1);
    }
}

// The end of the line that begins at from: where its text ends, and where the next line begins.
struct Line {
    std::size_t end;
    std::size_t next;
};

std::optional<Line> line_at(std::string_view bytes, std::size_t from) {
    const std::size_t newline = find(bytes, '\n', from);
    if (newline == std::string_view::npos) return {};
    return Line{newline > from && bytes[newline - 1] == '\r' ? newline - 1 : newline, newline + 1};
}

// A field, and where its value stands in the head.
struct Field {
    std::string_view name;
    std::string_view value;
    std::uint32_t value_at;
    Slice slice() const { return {value_at, static_cast<std::uint32_t>(value.size())}; }
};

void common_field(Head& head, std::string_view name, std::string_view value) {
    switch (name.size()) {
        case 10:
            if (equals_ignoring_case(name, "connection")) {
                if (equals_ignoring_case(value, "keep-alive")) {
                    head.keeps_alive = true;
                    return;
                }
                head.closes |= has_list_item(value, "close");
                head.keeps_alive |= has_list_item(value, "keep-alive");
                head.upgrades |= has_list_item(value, "upgrade");
            }
            return;
        case 14:
            if (equals_ignoring_case(name, "content-length")) {
                // RFC 9112 §6.3: repeated equal values count once; the last is as good.
                const auto length = parse_int<std::uint64_t>(trim(value.substr(0, value.find(',')), " \t"));
                if (length && *length <= kMaxLength) {
                    head.has_length = true;
                    head.length = *length;
                }
            }
            return;
        case 16:
            head.is_encoded |=
                equals_ignoring_case(name, "content-encoding") && !equals_ignoring_case(value, "identity");
            return;
        case 17:
            if (equals_ignoring_case(name, "transfer-encoding")) head.is_chunked |= has_list_item(value, "chunked");
            return;
        default:
            return;
    }
}

// By its first letter most fields are of no interest.
constexpr bool is_of_interest(const RequestHead&, char first) {
    return first == 'h' || first == 'u' || first == 't' || first == 'c' || first == 'e';
}
constexpr bool is_of_interest(const ResponseHead&, char first) {
    return first == 'u' || first == 't' || first == 'c' || first == 'x' || first == 'g';
}

void take(RequestHead& head, const Field& field) {
    const std::string_view name = field.name;
    switch (name.size()) {
        case 4:
            if (equals_ignoring_case(name, "host")) head.host = field.slice();
            return;
        case 6:
            if (equals_ignoring_case(name, "expect")) head.expects |= has_list_item(field.value, "100-continue");
            return;
        case 10:
            if (equals_ignoring_case(name, "user-agent"))
                head.user_agent = field.slice();
            else if (equals_ignoring_case(name, "tracestate"))
                head.tracestate = field.slice();
            else
                common_field(head, name, field.value);
            return;
        case 11:
            if (equals_ignoring_case(name, "traceparent")) head.traceparent = field.slice();
            return;
        case 12:
            if (equals_ignoring_case(name, "content-type")) head.content_type = field.slice();
            return;
        default:
            common_field(head, name, field.value);
    }
}

void take(ResponseHead& head, const Field& field) {
    if (field.name.size() == 7 && equals_ignoring_case(field.name, "upgrade"))
        head.upgrade = field.slice();
    else if (equals_ignoring_case(field.name, "x-elastic-product"))
        head.product = field.slice();
    else if (equals_ignoring_case(field.name, "grpc-status"))
        head.grpc_status = field.slice();
    else if (equals_ignoring_case(field.name, "content-type"))
        head.content_type = field.slice();
    else
        common_field(head, field.name, field.value);
}

// Reads the fields from `at` on; returns where the head ends. A line without a colon is no reason to stop: servers pass
// it over too; one that was cut off says nothing.
template <typename AnyHead>
Parsed<std::size_t> read_fields(std::string_view bytes, std::size_t at, bool is_final, AnyHead& head) {
    for (;;) {
        const auto line = line_at(bytes, at);
        if (!line) {
            if (bytes.size() < kMaxHead && !is_final) return std::unexpected(Stop::NeedMore);
            head.is_cut = true;
            head.text.assign(bytes);
            return bytes.size();
        }
        if (line->end == at) {
            head.text.assign(bytes.substr(0, line->next));
            return line->next;
        }
        if (is_of_interest(head, to_lower(bytes[at]))) {
            const std::string_view whole = bytes.substr(at, line->end - at);
            const std::size_t colon = whole.find(':');
            if (colon != std::string_view::npos && colon > 0) {
                const std::string_view value = trim(whole.substr(colon + 1), " \t");
                const auto value_at = value.empty() ? at : static_cast<std::size_t>(value.data() - bytes.data());
                take(head, {whole.substr(0, colon), value, static_cast<std::uint32_t>(value_at)});
            }
        }
        at = line->next;
    }
}

template <typename AnyHead>
void reset(AnyHead& head) {
    std::string text = std::move(head.text);
    std::string content = std::move(head.content);
    text.clear();
    content.clear();
    head = AnyHead{};
    head.text = std::move(text);
    head.content = std::move(content);
}

}  // namespace

std::size_t leading_newlines(std::string_view bytes) {
    std::size_t at = 0;
    while (at < bytes.size() && at < 4 && (bytes[at] == '\r' || bytes[at] == '\n')) ++at;
    return at;
}

Parsed<std::size_t> parse_request(std::string_view bytes, bool is_final, RequestHead& head) {
    const auto short_of = [&]() -> Parsed<std::size_t> {
        return std::unexpected(is_final ? Stop::Invalid : Stop::NeedMore);
    };
    const std::size_t from = leading_newlines(bytes);
    std::size_t at = from;
    while (at < bytes.size() && at - from <= kMaxMethod && is_token(bytes[at])) ++at;
    if (at == bytes.size()) return at - from <= kMaxMethod ? short_of() : std::unexpected(Stop::Invalid);
    if (at == from || bytes[at] != ' ' || !is_letter(bytes[from])) return std::unexpected(Stop::Invalid);
    const std::size_t method_size = at - from;
    const std::size_t target = at + 1;
    reset(head);
    const auto line = line_at(bytes, target);
    if (!line) {
        if (bytes.find('\0', target) != std::string_view::npos) return std::unexpected(Stop::Invalid);
        if (bytes.size() < kMaxHead && !is_final) return std::unexpected(Stop::NeedMore);
        // The line itself is longer than what was captured: method and the target's beginning are known.
        if (bytes.size() < 256) return std::unexpected(Stop::Invalid);
        head.is_cut = true;
        head.text.assign(bytes);
        head.method = {static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(method_size)};
        head.target = {static_cast<std::uint32_t>(target), static_cast<std::uint32_t>(bytes.size() - target)};
        return bytes.size();
    }
    const std::string_view rest = bytes.substr(target, line->end - target);
    const std::size_t space = rest.rfind(' ');
    if (space == std::string_view::npos || space == 0 || rest.find('\0') != std::string_view::npos)
        return std::unexpected(Stop::Invalid);
    // Some servers take blanks in a path; elsewhere they are a sign of text that is no request.
    if (rest[0] != '/' && rest.find(' ') != space) return std::unexpected(Stop::Invalid);
    const std::string_view version = rest.substr(space + 1);
    if (version.size() != 8 || !version.starts_with(kVersion) || (version[7] != '0' && version[7] != '1'))
        return std::unexpected(Stop::Invalid);
    head.minor = static_cast<std::uint8_t>(version[7] - '0');
    head.method = {static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(method_size)};
    head.target = {static_cast<std::uint32_t>(target), static_cast<std::uint32_t>(space)};
    return read_fields(bytes, line->next, is_final, head);
}

Parsed<std::size_t> parse_response(std::string_view bytes, bool is_final, ResponseHead& head) {
    constexpr std::size_t kStatusEnd = 12;  // "HTTP/1.1 200"
    if (bytes.substr(0, kVersion.size()) != kVersion.substr(0, bytes.size())) return std::unexpected(Stop::Invalid);
    if (bytes.size() < kStatusEnd) return std::unexpected(is_final ? Stop::Invalid : Stop::NeedMore);
    const auto status = parse_int<std::uint16_t>(bytes.substr(9, 3));
    if ((bytes[7] != '0' && bytes[7] != '1') || bytes[8] != ' ' || !status || *status < 100)
        return std::unexpected(Stop::Invalid);
    reset(head);
    const auto line = line_at(bytes, kStatusEnd);
    if (!line && !is_final && bytes.size() < kMaxHead) return std::unexpected(Stop::NeedMore);
    std::size_t size = bytes.size();
    if (line) {
        const auto end = read_fields(bytes, line->next, is_final, head);
        if (!end) return end;
        size = *end;
    } else {
        head.is_cut = true;
        head.text.assign(bytes);
    }
    head.status = *status;
    head.minor = static_cast<std::uint8_t>(bytes[7] - '0');
    return size;
}

Sniff sniff(std::string_view bytes, Side side) {
    if (side == Side::Response) {
        if (bytes.substr(0, kVersion.size()) != kVersion.substr(0, bytes.size())) return Sniff::No;
        return bytes.size() < 9 ? Sniff::NeedMore : bytes[8] == ' ' ? Sniff::Yes : Sniff::No;
    }
    const std::size_t from = leading_newlines(bytes);
    std::size_t at = from;
    while (at < bytes.size() && at - from <= kMaxMethod && is_token(bytes[at])) ++at;
    if (at == bytes.size()) return at - from <= kMaxMethod ? Sniff::NeedMore : Sniff::No;
    if (at == from || bytes[at] != ' ' || !is_letter(bytes[from])) return Sniff::No;
    const auto line = line_at(bytes, at + 1);
    if (!line) {
        // A target has no control characters; a long one is as good as a version.
        for (std::size_t i = at + 1; i < bytes.size(); ++i)
            if (static_cast<unsigned char>(bytes[i]) < 0x20 && !(bytes[i] == '\r' && i + 1 == bytes.size()))
                return Sniff::No;
        return bytes.size() >= 1024 && bytes[at + 1] == '/' ? Sniff::Yes : Sniff::NeedMore;
    }
    const std::string_view text = bytes.substr(at + 1, line->end - at - 1);
    const std::size_t space = text.rfind(' ');
    return space != std::string_view::npos && text.substr(space + 1).starts_with(kVersion) ? Sniff::Yes : Sniff::No;
}

Parsed<std::uint64_t> parse_chunk_size(std::string_view bytes, std::size_t& consumed) {
    constexpr std::size_t kMaxLine = 256;
    const auto line = line_at(bytes, 0);
    if (!line) return std::unexpected(bytes.size() > kMaxLine ? Stop::Invalid : Stop::NeedMore);
    std::string_view digits = bytes.substr(0, line->end);
    digits = trim(digits.substr(0, digits.find(';')), " \t");
    const auto size = digits.size() <= 15 ? parse_int<std::uint64_t>(digits, 16) : std::nullopt;
    if (!size) return std::unexpected(Stop::Invalid);
    consumed = line->next;
    return *size;
}

}  // namespace waggle::protocols::http1
