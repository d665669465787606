// SPDX-License-Identifier: Apache-2.0
// Body: follows a message's content through its stream without keeping it (RFC 9112 §6, §7.1). What was
// not captured is passed over by length; where the framing itself was lost the end is told from
// outside (the next message's place, the last chunk seen in the tail, or close).
#pragma once

#include <cstdint>
#include <optional>

#include "protocols/http1/message.h"
#include "streams/stream.h"

namespace waggle::protocols::http1 {

class Body {
  public:
    enum class Kind : std::uint8_t { None, Length, Chunked, UntilClose, Lost };

    void start(Kind kind, std::uint64_t position, std::uint64_t length);
    // True when the body has ended; end_ns is then the time of its last byte. limit: where the next message
    // begins at the latest, if that is known; it ends what does not tell its end itself.
    bool advance(streams::Stream& stream, std::optional<std::uint64_t> limit);

    std::uint64_t start() const { return start_; }
    bool is_lost() const { return kind_ == Kind::Lost; }
    bool is_until_close() const { return kind_ == Kind::UntilClose; }
    std::uint64_t end_ns() const { return end_ns_; }
    // Its last byte was never reported: end_ns is when those before it went.
    bool is_end_missing() const { return is_end_missing_; }
    // Its chunks were lost, and it may go on beyond its end.
    bool is_end_guessed() const { return is_end_guessed_; }
    // Content bytes; only when is_size_known.
    std::uint64_t size() const { return size_; }
    bool is_size_known() const { return is_size_known_; }
    // The head said how long it is.
    bool is_size_declared() const { return kind_ == Kind::Length; }

  private:
    enum class Chunk : std::uint8_t { Size, Data, Trailer };

    bool advance_chunks(streams::Stream& stream, std::optional<std::uint64_t> limit);
    bool lose(streams::Stream& stream, std::optional<std::uint64_t> limit);
    bool advance_lost(streams::Stream& stream, std::optional<std::uint64_t> limit);
    bool advance_to_close(streams::Stream& stream, std::optional<std::uint64_t> limit);
    void end_at(streams::Stream& stream, std::uint64_t position);

    Kind kind_ = Kind::None;
    Chunk chunk_ = Chunk::Size;
    bool is_size_known_ = true;
    bool is_end_missing_ = false;
    bool has_lost_chunks_ = false;
    bool is_end_guessed_ = false;
    std::uint64_t end_ = 0;  // Length: where it ends; Chunked: where the chunk with its CRLF ends
    std::uint64_t size_ = 0;
    std::uint64_t start_ = 0;
    std::uint64_t end_ns_ = 0;
};

}  // namespace waggle::protocols::http1
