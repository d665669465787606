// SPDX-License-Identifier: Apache-2.0
// TLS records (RFC 8446 §5) on a socket: how long they are, and what the first ones of a handshake say. By this a
// socket is known to be encrypted, and which plaintext went through it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "protocols/tls_hello.h"
#include "streams/stream.h"

namespace waggle::protocols {

struct TlsRecord {
    std::uint8_t type = 0;
    std::uint16_t size = 0;  // of what follows the header
};

inline constexpr std::size_t kTlsHeader = 5;
inline constexpr std::uint64_t kMaxTlsRecord = 16384;  // bytes of plaintext (RFC 8446 section 5.1)
inline constexpr char kTlsHandshake = 22;              // the type of a connection's first record

// The record that begins here; nothing when none does.
std::optional<TlsRecord> read_tls_record(std::string_view bytes);

// Is this the begin of a direction that speaks TLS? More than a header's five bytes must fit, where it has come:
// MySQL's packets of some lengths have such headers.
bool begins_tls(std::string_view bytes);

// Can a record of this size hold this much plaintext and no more?
bool can_hold(std::uint16_t record, std::uint64_t plaintext);

// Follows the records of one direction.
class TlsRecords {
  public:
    // They begin in the midst of a turn: here, and after so many bytes of something else.
    void begin_at(std::uint64_t position, std::uint64_t before) {
        next_ = position;
        clear_bytes_ = before;
    }
    // Takes what the stream has; the handshake's part of it goes there.
    void follow(streams::Stream& stream, unsigned direction, std::uint64_t now_ns, TlsHandshake& handshake);
    // Application data that came since forget_data.
    const std::vector<std::uint16_t>& data() const { return data_; }
    void forget_data() { data_.clear(); }
    // Bytes of all other records, headers included, and of what came before them.
    std::uint64_t clear_bytes() const { return clear_bytes_; }

  private:
    static constexpr std::size_t kMaxData = 64;
    std::optional<std::uint64_t> next_;  // where the next header stands
    std::vector<std::uint16_t> data_;
    std::uint64_t clear_bytes_ = 0;
};

}  // namespace waggle::protocols
