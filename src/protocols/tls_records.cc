// SPDX-License-Identifier: Apache-2.0
#include "protocols/tls_records.h"

namespace waggle::protocols {
namespace {

constexpr std::uint8_t kFirstType = 20;
constexpr std::uint8_t kApplicationData = 23;
constexpr std::uint8_t kChangeCipherSpec = 20;
constexpr std::uint8_t kAlert = 21;
constexpr std::uint8_t kHandshake = kTlsHandshake;
constexpr std::uint8_t kClientHello = 1;
constexpr std::uint8_t kServerHello = 2;
constexpr std::size_t kMessageHeader = 4;  // of a handshake's message: its type, and its length in three bytes
constexpr std::uint32_t kLeastHello = 38;  // version, random, and no session
constexpr std::uint32_t kMostMessage = 1 << 17;
constexpr std::uint16_t kAlertSize = 2;
constexpr std::uint16_t kLeastProtected = 16;  // an empty text and its digest
constexpr std::uint16_t kMaxRecord = 16384 + 2048;

}  // namespace

std::optional<TlsRecord> read_tls_record(std::string_view bytes) {
    if (bytes.size() < kTlsHeader) return std::nullopt;
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
    const TlsRecord record{.type = byte(0), .size = static_cast<std::uint16_t>(byte(3) << 8 | byte(4))};
    const bool is_version = byte(1) == 3 && byte(2) <= 4;
    if (!is_version || record.type < kFirstType || record.type > kApplicationData) return std::nullopt;
    if (record.size == 0 || record.size > kMaxRecord) return std::nullopt;
    return record;
}

bool begins_tls(std::string_view bytes) {
    const auto record = read_tls_record(bytes);
    if (!record || bytes[2] == 0) return false;  // no SSL 3.0
    const std::size_t next = kTlsHeader + record->size;
    if (bytes.size() >= next + kTlsHeader && !read_tls_record(bytes.substr(next))) return false;
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
    const bool has_message = bytes.size() >= kTlsHeader + kMessageHeader;
    switch (record->type) {
        case kChangeCipherSpec:
            return record->size == 1 && (bytes.size() == kTlsHeader || byte(kTlsHeader) == 1);
        case kAlert:
            return record->size == kAlertSize || record->size >= kLeastProtected;
        case kHandshake: {
            if (!has_message || record->size < kMessageHeader) return !has_message && record->size >= kMessageHeader;
            const std::uint32_t length = std::uint32_t{byte(6)} << 16 | byte(7) << 8 | byte(8);
            const bool is_hello = byte(kTlsHeader) == kClientHello || byte(kTlsHeader) == kServerHello;
            // Others begin where the agent comes in the middle of a handshake, and may be protected.
            return !is_hello || (length >= kLeastHello && length < kMostMessage);
        }
        default:
            return record->size >= kLeastProtected;
    }
}

// What ciphers add: 17 in TLS 1.3; 16 or 24 in TLS 1.2 with an authenticated cipher; in the older ones an
// initial vector, a digest and padding. All of that comes in blocks of 16, but for a digest of 20 bytes (SHA-1) that
// stands behind the blocks (RFC 7366).
bool can_hold(std::uint16_t record, std::uint64_t plaintext) {
    if (record < plaintext) return false;
    const std::uint64_t more = record - plaintext;
    if (more == 16 || more == 17 || more == 24) return true;
    return (more >= 37 && more <= 84 && record % 16 == 0) || (more >= 37 && more <= 52 && record % 16 == 4);
}

void TlsRecords::follow(streams::Stream& stream, unsigned direction, std::uint64_t now_ns, TlsHandshake& handshake) {
    while (!stream.is_empty()) {
        if (!next_ || stream.head() > *next_) {
            next_.reset();
            if (stream.hole() || !stream.is_at_turn_start()) {
                if (!stream.skip_to_next_turn()) return;
                continue;
            }
            next_ = stream.head();
        }
        if (stream.head() < *next_) {
            stream.skip_to(*next_);
            continue;
        }
        const std::string_view bytes = stream.bytes();
        const auto record = read_tls_record(bytes);
        if (!record) {
            if (bytes.size() < kTlsHeader && !stream.is_cut()) return;
            next_.reset();
            if (!stream.skip_to_next_turn()) return;
            continue;
        }
        const bool has_body = bytes.size() >= kTlsHeader + record->size;
        if (!has_body && handshake.wants_body(direction, record->type) && !stream.is_cut()) return;
        handshake.on_record(direction, record->type, bytes.substr(kTlsHeader, record->size), now_ns);
        if (record->type == kApplicationData)
            data_.push_back(record->size);
        else
            clear_bytes_ += kTlsHeader + record->size;
        if (data_.size() > kMaxData) data_.erase(data_.begin());
        next_ = *next_ + kTlsHeader + record->size;
    }
}

}  // namespace waggle::protocols
