// SPDX-License-Identifier: Apache-2.0
#include "protocols/http1/body.h"

#include <algorithm>

namespace waggle::protocols::http1 {
namespace {

// "\r\n0\r\n\r\n" in the last seven bytes: the last chunk, with no trailer.
constexpr std::uint64_t kLastChunkSize = 5;  // "0\r\n\r\n"

bool is_last_chunk(std::uint64_t tail) { return tail >> 8 == 0x0a0d0a0d300a0du; }

}  // namespace

void Body::start(Kind kind, std::uint64_t position, std::uint64_t length) {
    kind_ = kind;
    chunk_ = Chunk::Size;
    start_ = position;
    end_ = position + length;
    size_ = kind == Kind::Length ? length : 0;
    is_size_known_ = kind != Kind::Lost;
    end_ns_ = 0;
    is_end_missing_ = false;
    has_lost_chunks_ = is_end_guessed_ = false;
}

void Body::end_at(streams::Stream& stream, std::uint64_t position) {
    end_ns_ = stream.time_before(position);
    is_end_missing_ = stream.is_gap_at(position - 1);
    stream.skip_to(position);
}

bool Body::advance(streams::Stream& stream, std::optional<std::uint64_t> limit) {
    switch (kind_) {
        case Kind::None:
            return true;
        case Kind::Length:
            if (stream.end() < end_) {
                stream.skip_to(stream.end());
                return false;
            }
            end_at(stream, end_);
            return true;
        case Kind::Chunked:
            return advance_chunks(stream, limit);
        case Kind::UntilClose:
            return advance_to_close(stream, limit);
        case Kind::Lost:
            return advance_lost(stream, limit);
    }
    return true;
}

bool Body::advance_chunks(streams::Stream& stream, std::optional<std::uint64_t> limit) {
    for (;;) {
        if (chunk_ == Chunk::Data) {
            if (stream.end() < end_) {
                stream.skip_to(stream.end());
                return false;
            }
            stream.skip_to(end_);
            chunk_ = Chunk::Size;
        }
        if (stream.is_empty()) return false;
        if (stream.hole()) {
            // A large chunk was passed over by its length: the tail shows whether it was the only one.
            const std::uint64_t rest = stream.end() - stream.head();
            if (chunk_ != Chunk::Size || rest > kLastChunkSize) return lose(stream, limit);
            if (rest < kLastChunkSize) return false;
            if (!is_last_chunk(stream.tail())) return lose(stream, limit);
            end_ns_ = stream.end_ns();
            stream.skip_to(stream.end());
            return true;
        }
        const std::string_view bytes = stream.bytes();
        if (chunk_ == Chunk::Size) {
            std::size_t consumed = 0;
            const auto size = parse_chunk_size(bytes, consumed);
            if (!size) {
                if (size.error() == Stop::NeedMore && !stream.is_cut()) return false;
                if (size.error() == Stop::NeedMore) stream.consume(bytes.size());  // what follows is this body's, too
                return lose(stream, limit);
            }
            stream.consume(consumed);
            size_ += *size;
            if (*size) {
                chunk_ = Chunk::Data;
                end_ = stream.head() + *size + 2;
            } else {
                chunk_ = Chunk::Trailer;
            }
            continue;
        }
        // Trailer fields end with an empty line.
        const std::size_t newline = bytes.find('\n');
        if (newline == std::string_view::npos) {
            if (!stream.is_cut() && bytes.size() < kMaxHead) return false;
            stream.consume(bytes.size());
            return lose(stream, limit);
        }
        const bool is_end = newline == 0 || (newline == 1 && bytes[0] == '\r');
        end_ns_ = stream.time_before(stream.head() + newline + 1);
        stream.consume(newline + 1);
        if (is_end) return true;
    }
}

bool Body::advance_to_close(streams::Stream& stream, std::optional<std::uint64_t> limit) {
    if (limit && *limit <= stream.end()) {
        is_size_known_ = false;
        end_at(stream, *limit);
        return true;
    }
    if (!stream.is_empty()) end_ns_ = stream.end_ns();
    size_ = stream.end() - start_;
    stream.skip_to(stream.end());
    return stream.is_closed();
}

bool Body::lose(streams::Stream& stream, std::optional<std::uint64_t> limit) {
    kind_ = Kind::Lost;
    has_lost_chunks_ = true;
    is_size_known_ = false;
    return advance_lost(stream, limit);
}

bool Body::advance_lost(streams::Stream& stream, std::optional<std::uint64_t> limit) {
    if (limit && *limit <= stream.end()) {
        const std::uint64_t end = std::max(*limit, stream.head());
        const bool is_gap = stream.is_gap_at(end);  // which may hide more of this body
        end_at(stream, end);
        is_end_missing_ |= is_gap;
        is_end_guessed_ = has_lost_chunks_;
        return true;
    }
    end_ns_ = stream.end_ns();
    stream.skip_to(stream.end());
    return is_last_chunk(stream.tail()) || stream.is_closed();
}

}  // namespace waggle::protocols::http1
