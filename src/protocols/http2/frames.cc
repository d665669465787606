// SPDX-License-Identifier: Apache-2.0
#include "protocols/http2/frames.h"

#include <algorithm>
#include <array>
#include <string>

#include "protocols/http2/hpack.h"

namespace waggle::protocols::http2 {
namespace {

constexpr std::uint32_t kPlainFrame = 16384;  // larger ones need a SETTINGS_MAX_FRAME_SIZE
constexpr std::array<std::string_view, 14> kErrors = {"no_error",
                                                      "protocol_error",
                                                      "internal_error",
                                                      "flow_control_error",
                                                      "settings_timeout",
                                                      "stream_closed",
                                                      "frame_size_error",
                                                      "refused_stream",
                                                      "cancel",
                                                      "compression_error",
                                                      "connect_error",
                                                      "enhance_your_calm",
                                                      "inadequate_security",
                                                      "http_1_1_required"};

// Flags that each type has.
constexpr std::array<std::uint8_t, 10> kFlags = {kEndStream | kPadded,
                                                 kEndStream | kEndHeaders | kPadded | kHasPriority,
                                                 0,
                                                 0,
                                                 kAck,
                                                 kEndHeaders | kPadded,
                                                 kAck,
                                                 0,
                                                 0,
                                                 kEndHeaders};

bool is_settings(std::string_view bytes, std::size_t size) {
    enum Id : unsigned { kEnablePush = 2, kInitialWindow = 4, kMaxFrame = 5, kConnectProtocol = 8 };
    for (std::size_t at = 0; at + 6 <= size && at + 6 <= bytes.size(); at += 6) {
        const unsigned id = static_cast<std::uint8_t>(bytes[at]) << 8 | static_cast<std::uint8_t>(bytes[at + 1]);
        const std::uint32_t value = read_u32(bytes.substr(at + 2));
        if (id == 0 || id > 0x10) {
            // Unknown ones are ignored by everybody, and some send such on purpose (RFC 8701; gRPC's 0xfe03).
            if ((id & 0x0f0f) != 0x0a0a && id < 0xf000) return false;
        }
        if ((id == kEnablePush || id == kConnectProtocol) && value > 1) return false;
        if (id == kInitialWindow && value >> 31) return false;
        if (id == kMaxFrame && (value < kPlainFrame || value >> 24)) return false;
    }
    return true;
}

// May one plausible frame stand after the other?
bool may_follow(const FrameHeader& before, const FrameHeader& header) {
    const bool is_open = (before.type == kHeaders || before.type == kPushPromise || before.type == kContinuation) &&
                         !before.has(kEndHeaders);
    if (is_open || header.type == kContinuation)
        return is_open && header.type == kContinuation && header.stream == before.stream;
    const bool is_over =
        (before.type == kReset || (before.type == kData && before.has(kEndStream))) && before.stream == header.stream;
    return !is_over || (header.type != kData && header.type != kHeaders);
}

// What pseudo-header fields say, where they are known, is what they may say.
bool is_sane(const Fields& fields) {
    const auto is_all = [&](Name name, auto is_good) { return std::ranges::all_of(fields.text(name), is_good); };
    const auto is_upper = [](char c) { return (c >= 'A' && c <= 'Z') || c == '-' || c == '_'; };
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    const auto is_graphic = [](char c) { return c > 0x20 && c < 0x7f; };
    if (fields.has(Name::Method) && (fields.text(Name::Method).empty() || !is_all(Name::Method, is_upper)))
        return false;
    if (fields.has(Name::Status) && (fields.text(Name::Status).size() != 3 || !is_all(Name::Status, is_digit)))
        return false;
    const std::string_view path = fields.text(Name::Path);
    if (fields.has(Name::Path) && !path.starts_with('/') && path != "*") return false;
    const std::string_view scheme = fields.text(Name::Scheme);
    return (!fields.has(Name::Scheme) || scheme == "http" || scheme == "https") && is_all(Name::Authority, is_graphic);
}

// The server's first frame; the client's comes after its preface.
Sniff sniff_settings(std::string_view bytes) {
    const FrameHeader header = read_header(bytes);
    if (header.type != kSettings || header.flags || !is_plausible(header)) return Sniff::No;
    const std::size_t size = kHeaderSize + header.length;
    if (!is_settings(bytes.substr(kHeaderSize), header.length)) return Sniff::No;
    if (bytes.size() < size) return Sniff::NeedMore;
    if (bytes.size() == size) return header.length ? Sniff::Yes : Sniff::NeedMore;
    const Sniff verdict = find_frames(bytes, false);
    if (header.length) return verdict == Sniff::No ? Sniff::No : Sniff::Yes;
    // An empty one is little more than zeros: what is left in it to the default says what may follow.
    if (bytes.size() < size + kHeaderSize || verdict != Sniff::Yes) return verdict;
    constexpr std::uint32_t kFewStreams = 1 << 16;
    const FrameHeader next = read_header(bytes.substr(size));
    const bool may_be =
        next.type == kSettings || next.type == kWindowUpdate || next.type == kPing || next.type == kHeaders;
    return may_be && next.stream < kFewStreams ? Sniff::Yes : Sniff::No;
}

// Frames from somewhere in a connection: a message's head tells whose side it is.
Sniff sniff_frames(std::string_view bytes, Side side) {
    FrameHeader before;
    for (std::string_view rest = bytes; rest.size() >= kHeaderSize;) {
        const FrameHeader header = read_header(rest);
        if (!is_plausible(header) || (rest.size() < bytes.size() && !may_follow(before, header))) return Sniff::No;
        before = header;
        rest.remove_prefix(kHeaderSize);
        std::string_view payload = rest.substr(0, header.length);
        if (header.type == kHeaders && header.has(kEndHeaders)) {
            if (payload.size() < header.length) return Sniff::NeedMore;
            Decoder decoder;
            decoder.lose();
            Fields fields;
            if (!strip(header, payload) || decoder.decode(payload, fields) != Decoder::Result::Whole) return Sniff::No;
            if (!is_sane(fields)) return Sniff::No;
            if (side == Side::Request ? fields.is_request() : fields.is_response()) return Sniff::Yes;
            if (fields.is_request() || fields.is_response()) return Sniff::No;
        }
        if (rest.size() <= header.length) return Sniff::NeedMore;
        rest.remove_prefix(header.length);
    }
    return Sniff::NeedMore;
}

}  // namespace

std::uint32_t read_u32(std::string_view bytes) {
    std::uint32_t value = 0;
    for (const char c : bytes.substr(0, 4)) value = value << 8 | static_cast<std::uint8_t>(c);
    return value;
}

FrameHeader read_header(std::string_view bytes) {
    return {.length = read_u32(bytes) >> 8,
            .type = static_cast<std::uint8_t>(bytes[3]),
            .flags = static_cast<std::uint8_t>(bytes[4]),
            .stream = read_u32(bytes.substr(5))};
}

bool is_possible(const FrameHeader& header) {
    const std::uint32_t stream = header.stream & 0x7fffffff;
    switch (header.type) {
        case kData:
        case kHeaders:
        case kContinuation:
            return stream != 0;
        case kPriority:
            return stream != 0 && header.length == 5;
        case kReset:
            return stream != 0 && header.length == 4;
        case kSettings:
            return stream == 0 && header.length % 6 == 0;
        case kPushPromise:
            return stream != 0 && header.length >= 4;
        case kPing:
            return stream == 0 && header.length == 8;
        case kGoAway:
            return stream == 0 && header.length >= 8;
        case kWindowUpdate:
            return header.length == 4;
        default:
            return true;
    }
}

bool is_plausible(const FrameHeader& header) {
    constexpr std::uint32_t kMostSettings = 6 * 64;
    if (header.type > kContinuation || header.stream >> 31 || !is_possible(header)) return false;
    if (header.flags & ~kFlags[header.type] || header.length > kPlainFrame) return false;
    const bool is_clients = header.stream & 1;  // pushes are rare
    switch (header.type) {
        case kData:
            return is_clients && (header.length > 0 || header.flags == kEndStream);
        case kHeaders:
            return is_clients && header.length > 0;
        case kReset:
        case kPushPromise:
        case kContinuation:
            return is_clients;
        case kSettings:
            return header.length <= kMostSettings && (!header.flags || !header.length);
        default:
            return true;
    }
}

Sniff find_frames(std::string_view bytes, bool is_whole) {
    FrameHeader before;
    for (int found = 0;; ++found) {
        if (bytes.size() < kHeaderSize) {
            if (is_whole) return found && bytes.empty() ? Sniff::Yes : Sniff::No;
            return Sniff::NeedMore;
        }
        const FrameHeader header = read_header(bytes);
        if (!is_plausible(header) || (found && !may_follow(before, header))) return Sniff::No;
        if (found == 1) return Sniff::Yes;
        before = header;
        if (bytes.size() - kHeaderSize < header.length) return is_whole ? Sniff::No : Sniff::NeedMore;
        bytes.remove_prefix(kHeaderSize + header.length);
    }
}

bool strip(const FrameHeader& header, std::string_view& payload) {
    std::size_t padding = 0;
    std::size_t front = 0;
    if (header.has(kPadded)) {
        if (header.length < 1) return false;
        padding = payload.empty() ? 0 : static_cast<std::uint8_t>(payload[0]);
        front = 1;
    }
    if (header.type == kHeaders && header.has(kHasPriority)) front += 5;
    if (header.type == kPushPromise) front += 4;
    if (front + padding > header.length) return false;
    payload = payload.substr(0, header.length - padding);
    payload.remove_prefix(std::min(front, payload.size()));
    return true;
}

Sniff sniff(std::string_view bytes, Side side) {
    if (side == Side::Request && bytes.substr(0, kPreface.size()) == kPreface.substr(0, bytes.size()))
        return bytes.size() < kPreface.size() ? Sniff::NeedMore : Sniff::Yes;
    if (bytes.size() < kHeaderSize) {
        std::string begun(bytes);
        begun.resize(kHeaderSize);
        FrameHeader header = read_header(begun);
        if (header.length > kPlainFrame) return Sniff::No;
        if (bytes.size() < 4) return Sniff::NeedMore;
        header.stream = header.type == kSettings || header.type == kPing || header.type == kGoAway ? 0 : 1;
        return header.type <= kContinuation && is_possible(header) ? Sniff::NeedMore : Sniff::No;
    }
    if (side == Side::Response) {
        const Sniff verdict = sniff_settings(bytes);
        if (verdict != Sniff::No) return verdict;
    }
    return sniff_frames(bytes, side);
}

std::string_view error_text(std::uint32_t code) { return code < kErrors.size() ? kErrors[code] : "_OTHER"; }

}  // namespace waggle::protocols::http2
