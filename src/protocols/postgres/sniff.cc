// SPDX-License-Identifier: Apache-2.0
// Recognises PostgreSQL by bytes that can hardly be anything else: an opening message, or a chain of
// messages whose lengths and inner structure fit to the last byte.
#include <algorithm>

#include "protocols/postgres/messages.h"

namespace waggle::protocols::postgres {
namespace {

// A longer message is more likely text of another protocol.
constexpr std::uint64_t kMaxSniffed = 1u << 24;

enum class Shape : std::uint8_t { Wrong, Short, Fits };

bool is_text(std::string_view text) {
    for (const char c : text)
        if (static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f') return false;
    return true;
}

// Counted values with their lengths, −1 for NULL (Bind's parameters).
bool fits_values(std::string_view& body) {
    if (body.size() < 2) return false;
    const std::size_t count = read_u16(body, 0);
    body.remove_prefix(2);
    for (std::size_t i = 0; i < count; ++i) {
        if (body.size() < 4) return false;
        const std::uint32_t size = read_u32(body, 0);
        body.remove_prefix(4);
        if (size == 0xffffffff) continue;
        if (body.size() < size) return false;
        body.remove_prefix(size);
    }
    return true;
}

bool fits_codes(std::string_view& body, std::size_t width) {
    if (body.size() < 2) return false;
    const std::size_t size = 2 + read_u16(body, 0) * width;
    if (body.size() < size) return false;
    body.remove_prefix(size);
    return true;
}

bool has_text(std::string_view& body) {
    if (body.find('\0') == std::string_view::npos) return false;
    return is_text(take_text(body));
}

// The whole body of a frontend message.
bool fits_frontend(char type, std::string_view body) {
    switch (type) {
        case 'Q':
            return body.size() > 1 && has_text(body) && body.empty();
        case 'P':
            return has_text(body) && has_text(body) && fits_codes(body, 4) && body.empty();
        case 'B':
            return has_text(body) && has_text(body) && fits_codes(body, 2) && fits_values(body) &&
                   fits_codes(body, 2) && body.empty();
        case 'D':
        case 'C':
            if (body.empty() || (body[0] != 'S' && body[0] != 'P')) return false;
            body.remove_prefix(1);
            return has_text(body) && body.empty();
        case 'E':
            return has_text(body) && body.size() == 4;
        case 'S':
        case 'H':
            return body.empty();
        default:
            return false;
    }
}

// The front of a long query: its text, and no byte that is none.
Shape front_of_query(char type, std::string_view body) {
    if (type == 'P') {
        const std::size_t end = body.find('\0');
        if (end == std::string_view::npos) return is_text(body) ? Shape::Short : Shape::Wrong;
        if (!is_text(body.substr(0, end))) return Shape::Wrong;
        body.remove_prefix(end + 1);
    }
    if (type != 'Q' && type != 'P') return Shape::Short;
    const std::string_view text = body.substr(0, body.find('\0'));
    if (!is_text(text) || (type == 'Q' && text.size() < body.size())) return Shape::Wrong;
    return text.size() >= 512 ? Shape::Fits : Shape::Short;
}

// Names and values, of which there is at least the user's.
Sniff sniff_startup(std::string_view parameters) {
    if (parameters.empty()) return Sniff::NeedMore;
    const std::size_t end = parameters.find('\0');
    const std::string_view name = parameters.substr(0, end);
    const auto is_name = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
    };
    if (name.empty() || !std::ranges::all_of(name, is_name)) return Sniff::No;
    return end == std::string_view::npos ? Sniff::NeedMore : Sniff::Yes;
}

Sniff sniff_frontend(std::string_view bytes) {
    if (bytes[0] == '\0') {
        if (bytes.size() < 8) return bytes.size() > 1 && bytes[1] != '\0' ? Sniff::No : Sniff::NeedMore;
        const std::optional<Opening> opening = opening_of(bytes);
        if (!opening) return Sniff::No;
        return *opening == Opening::Startup ? sniff_startup(bytes.substr(8)) : Sniff::Yes;
    }
    // Statements begin with these; the rest only follows.
    if (std::string_view("QPBDCE").find(bytes[0]) == std::string_view::npos) return Sniff::No;
    while (!bytes.empty()) {
        const auto unit = parse_frontend(bytes, true);
        if (!unit) return unit.error() == Stop::Invalid ? Sniff::No : Sniff::NeedMore;
        if (unit->size > kMaxSniffed) return Sniff::No;
        const char type = bytes[0];
        const std::string_view body = bytes.substr(5, unit->size - 5);
        if (bytes.size() < unit->size) {
            const Shape shape = front_of_query(type, body);
            return shape == Shape::Wrong ? Sniff::No : shape == Shape::Fits ? Sniff::Yes : Sniff::NeedMore;
        }
        if (!fits_frontend(type, body)) return Sniff::No;
        // What is answered closes the chain.
        if (type == 'Q' || type == 'S' || type == 'H') return Sniff::Yes;
        bytes.remove_prefix(unit->size);
    }
    return Sniff::NeedMore;
}

// Whole messages up to ReadyForQuery, as after a query, or the server's greeting.
Sniff sniff_backend(std::string_view bytes) {
    if (std::string_view("RT12CE").find(bytes[0]) == std::string_view::npos) return Sniff::No;
    for (std::size_t count = 0; !bytes.empty(); ++count) {
        const auto unit = parse_backend(bytes, true);
        if (!unit) return unit.error() == Stop::Invalid ? Sniff::No : Sniff::NeedMore;
        if (unit->size > kMaxSniffed) return Sniff::No;
        const std::string_view body = bytes.substr(5, unit->size - 5);
        switch (bytes[0]) {
            case 'R':
                if (unit->size < 9 || unit->size > 4096) return Sniff::No;
                if (body.size() >= 4 && read_u32(body, 0) > 12) return Sniff::No;
                break;
            case '1':
            case '2':
            case '3':
            case 'n':
                if (unit->size != 5) return Sniff::No;
                break;
            case 'Z':
                if (unit->size != 6) return Sniff::No;
                if (body.empty()) return Sniff::NeedMore;
                return count > 0 && std::string_view("ITE").find(body[0]) != std::string_view::npos ? Sniff::Yes
                                                                                                    : Sniff::No;
            case 'C':
            case 'E':
                if (unit->size <= bytes.size() && !body.ends_with('\0')) return Sniff::No;
                if (unit->size > 65536) return Sniff::No;
                break;
            default:
                break;
        }
        if (bytes.size() < unit->size) return Sniff::NeedMore;
        bytes.remove_prefix(unit->size);
    }
    return Sniff::NeedMore;
}

}  // namespace

Sniff sniff(std::string_view bytes, Side side) {
    if (bytes.empty()) return Sniff::NeedMore;
    return side == Side::Request ? sniff_frontend(bytes) : sniff_backend(bytes);
}

}  // namespace waggle::protocols::postgres
