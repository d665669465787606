// SPDX-License-Identifier: Apache-2.0
#include "agent/mask.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/strings.h"

namespace waggle::agent {
namespace {

constexpr std::size_t kMaxFlows = 65536;
constexpr std::size_t kMaxLine = 32768;  // kept of an unfinished line

// Fields whose values framing, naming and tracing need.
constexpr std::array<std::string_view, 12> kKeptFields = {
    "host",       "content-length", "transfer-encoding", "connection", "upgrade",      "expect",
    "user-agent", "traceparent",    "tracestate",        "te",         "content-type", "x-elastic-product"};

// How an unfinished first line may go on.
constexpr std::array<std::string_view, 10> kStarts = {"GET ",     "POST ",  "PUT ",   "DELETE ",  "HEAD ",
                                                      "OPTIONS ", "PATCH ", "TRACE ", "CONNECT ", "HTTP/1."};

void overwrite(std::span<char> text) {
    for (char& c : text)
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80)) c = 'x';
}

// What is encrypted is nobody's value; its records' heads tell how a connection was protected.
bool is_tls_record(std::string_view bytes) {
    return bytes.size() >= 2 && bytes[0] >= 0x14 && bytes[0] <= 0x17 && bytes[1] == 0x03;
}

bool is_kept_field(std::string_view name) {
    return std::ranges::any_of(kKeptFields, [&](std::string_view kept) { return equals_ignoring_case(name, kept); });
}

bool is_name(std::string_view text) {
    return std::ranges::all_of(text, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
    });
}

// May a message begin with these bytes? A whole line says it; of the front of one only known words
// do.
bool may_start(std::string_view line, bool is_whole) {
    if (is_whole) return line.starts_with("HTTP/1.") || line.find(" HTTP/1.") != std::string_view::npos;
    return std::ranges::any_of(kStarts, [&](std::string_view start) {
        const bool is_front = start.starts_with(line) || line.starts_with(start);
        const char next = line.size() > start.size() ? line[start.size()] : '/';
        return is_front && (next == '/' || start == "HTTP/1." || start == "CONNECT " || next == 'h' || next == '*');
    });
}

bool starts_message(std::string_view text) {
    const std::size_t end = text.find('\n');
    return !text.empty() && may_start(text.substr(0, end), end != std::string_view::npos);
}

// Values of the query, and what stands before an @ of an absolute target. done: how much of the
// line was handled before this piece.
void mask_target(std::string_view line, std::size_t done, std::span<char> piece) {
    const auto hide = [&](std::size_t from, std::size_t to) {
        from = std::max(from, done);
        if (to > from) overwrite(piece.subspan(from - done, to - from));
    };
    const std::size_t begin = line.find(' ') + 1;
    const std::size_t end = std::min(line.find(' ', begin), line.size());
    const std::string_view target = line.substr(begin, end - begin);
    const std::size_t scheme = target.find("://");
    if (scheme != std::string_view::npos && scheme < target.find('?')) {
        const std::size_t path = std::min(target.find('/', scheme + 3), target.size());
        const std::size_t at = target.substr(0, path).rfind('@');
        if (at != std::string_view::npos) hide(begin + scheme + 3, begin + at);
    }
    std::size_t at = target.find('?');
    while (at < target.size()) {
        const std::size_t next = std::min(target.find('&', at + 1), target.size());
        const std::size_t equals = target.find('=', at + 1);
        // Without a name it is the value that stands there.
        hide(begin + (equals < next ? equals : at) + 1, begin + next);
        at = next;
    }
}

}  // namespace

void PayloadMask::tail(std::uint8_t (&bytes)[8]) {
    static constexpr std::uint8_t kLastChunk[7] = {'\r', '\n', '0', '\r', '\n', '\r', '\n'};
    const bool is_last = std::memcmp(bytes + 1, kLastChunk, sizeof(kLastChunk)) == 0;
    overwrite({reinterpret_cast<char*>(bytes), is_last ? 1u : 8u});
}

void PayloadMask::close(wg_close_event& event) {
    for (auto& bytes : event.tail) tail(bytes);
    if (!event.half) flows_.erase(event.connection);
}

void PayloadMask::datagram(std::span<char> payload) {
    constexpr std::size_t kNumbers = 12;
    constexpr std::size_t kMaxLabel = 63;
    constexpr std::size_t kAfterName = 4;  // type and class
    if (payload.size() <= kNumbers) return;
    payload = payload.subspan(kNumbers);
    while (!payload.empty()) {
        const auto length = static_cast<unsigned char>(payload[0]);
        payload = payload.subspan(1);
        if (length == 0) break;
        if (length > kMaxLabel || length > payload.size()) return std::ranges::fill(payload, 'x'), void();
        std::ranges::fill(payload.first(length), 'x');
        payload = payload.subspan(length);
    }
    if (payload.size() > kAfterName) std::ranges::fill(payload.subspan(kAfterName), 'x');
}

void PayloadMask::data(wg_data_event& event, std::span<char> payload) {
    tail(event.tail);
    tail(event.previous_tail);
    if (flows_.size() >= kMaxFlows && !flows_.contains(event.connection)) flows_.clear();
    Flow& flow = flows_[event.connection][event.direction == WG_RECEIVE];
    if (event.position > flow.next && flow.next != 0) pass_over(flow, event.position - flow.next);
    flow.next = event.position + payload.size();
    const std::string_view text(payload.data(), payload.size());
    // A turn that begins with a message does so whatever was expected (a response to HEAD has no
    // body).
    if ((event.flags & WG_DATA_TURN_START || flow.part == Part::Opaque) && starts_message(text))
        flow = {.next = flow.next};
    while (!payload.empty()) {
        if (flow.part == Part::Opaque) return hide(flow, payload);
        if (flow.part == Part::Body || flow.part == Part::ChunkData) {
            const std::size_t size = std::min<std::uint64_t>(flow.left, payload.size());
            overwrite(payload.first(size));
            payload = payload.subspan(size);
            pass_over(flow, size);
            continue;
        }
        bool is_whole = false;
        const std::span<char> piece = take_line(flow, payload, is_whole);
        payload = payload.subspan(piece.size());
        if (flow.part == Part::Start)
            start_line(flow, piece, is_whole);
        else if (flow.part == Part::ChunkSize)
            chunk_size(flow, piece, is_whole);
        else
            field_line(flow, piece, is_whole);
        if (is_whole) flow.line.clear();
    }
}

// Numbers and signs are values of other protocols, too.
void PayloadMask::hide(Flow& flow, std::span<char> bytes) {
    if (flow.is_tls)
        overwrite(bytes);
    else
        std::ranges::fill(bytes, 'x');
}

// Bytes of a body, seen or not. Beyond its end nothing is known where they were not seen.
void PayloadMask::pass_over(Flow& flow, std::uint64_t bytes) {
    const bool is_inside = flow.part == Part::Body || flow.part == Part::ChunkData;
    if (!is_inside || bytes > flow.left) {
        flow = {.part = Part::Opaque, .next = flow.next};
        return;
    }
    flow.left -= bytes;
    if (flow.left > 0) return;
    if (flow.part == Part::ChunkData)
        flow.part = Part::ChunkSize;
    else
        flow = {.next = flow.next};
}

// The rest of the line, or what there is of it; flow.line has its front.
std::span<char> PayloadMask::take_line(Flow& flow, std::span<char> rest, bool& is_whole) {
    const std::string_view text(rest.data(), rest.size());
    const std::size_t newline = text.find('\n');
    is_whole = newline != std::string_view::npos;
    const std::size_t size = is_whole ? newline + 1 : text.size();
    flow.line.append(text.substr(0, size));
    return rest.first(size);
}

void PayloadMask::start_line(Flow& flow, std::span<char> piece, bool is_whole) {
    const std::string_view line = flow.line;
    const std::size_t done = line.size() - piece.size();
    if (is_whole && trim(line).empty()) return;  // a blank line between messages
    if (!may_start(line, is_whole) || line.size() > kMaxLine) {
        flow.part = Part::Opaque;
        flow.is_tls = is_tls_record(line);
        return hide(flow, piece);
    }
    flow.is_response = line.starts_with("HTTP/");
    if (!flow.is_response) mask_target(line, done, piece);
    if (!is_whole) return;
    flow.part = Part::Head;
    const std::string_view status = flow.is_response && line.size() > 12 ? line.substr(9, 3) : "";
    flow.has_no_body = status.starts_with('1') || status == "204" || status == "304";
}

void PayloadMask::field_line(Flow& flow, std::span<char> piece, bool is_whole) {
    const std::string_view line = flow.line;
    const std::size_t done = line.size() - piece.size();
    const std::size_t colon = line.find(':');
    if (line.size() > kMaxLine) {
        flow.part = Part::Opaque;
        return overwrite(piece);
    }
    if (is_whole && trim(line).empty()) {
        if (flow.part == Part::Head)
            end_of_head(flow);
        else
            flow = {.next = flow.next};
        return;
    }
    if (colon == std::string_view::npos) {
        if (is_whole || !is_name(line)) overwrite(piece);
        return;
    }
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trim(line.substr(colon + 1));
    if (flow.part == Part::Trailers || !is_kept_field(name)) overwrite(piece.subspan(colon > done ? colon - done : 0));
    if (!is_whole || flow.part == Part::Trailers) return;
    if (equals_ignoring_case(name, "content-length")) {
        const auto length = parse_int<std::uint64_t>(value);
        flow.has_length = length.has_value();
        flow.length = length.value_or(0);
    } else if (equals_ignoring_case(name, "transfer-encoding")) {
        flow.is_chunked = value.size() >= 7 && equals_ignoring_case(value.substr(value.size() - 7), "chunked");
    }
}

void PayloadMask::end_of_head(Flow& flow) {
    const Flow head = std::exchange(flow, {.next = flow.next});
    if (head.has_no_body) return;
    if (head.is_chunked) {
        flow.part = Part::ChunkSize;
    } else if (head.has_length) {
        flow.left = head.length;
        if (flow.left > 0) flow.part = Part::Body;
    } else if (head.is_response) {
        flow.part = Part::Opaque;  // until the connection ends
    }
}

void PayloadMask::chunk_size(Flow& flow, std::span<char> piece, bool is_whole) {
    const std::string_view line = flow.line;
    const std::size_t done = line.size() - piece.size();
    const std::size_t end = std::min(line.find_first_of(";\r\n"), line.size());
    const auto size = parse_int<std::uint64_t>(trim(line.substr(0, end)), 16);
    if (!size || end > 16) {
        flow.part = Part::Opaque;
        return overwrite(piece);
    }
    if (end < line.size()) overwrite(piece.subspan(end > done ? end - done : 0));
    if (!is_whole) return;
    flow.part = *size == 0 ? Part::Trailers : Part::ChunkData;
    flow.left = *size + 2;  // its line's end
}

}  // namespace waggle::agent
