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
}

bool Body::advance(streams::Stream& stream) {
    switch (kind_) {
        case Kind::None:
            return true;
        case Kind::Length:
            if (stream.end() < end_) {
                stream.skip_to(stream.end());
                return false;
            }
            end_ns_ = stream.time_before(end_);
            stream.skip_to(end_);
            return true;
        case Kind::Chunked:
            return advance_chunks(stream);
        case Kind::UntilClose:
            if (!stream.is_empty()) end_ns_ = stream.end_ns();
            size_ = stream.end() - start_;
            stream.skip_to(stream.end());
            return stream.is_closed();
        case Kind::Lost:
            return advance_lost(stream);
    }
    return true;
}

bool Body::advance_chunks(streams::Stream& stream) {
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
            if (chunk_ != Chunk::Size || rest > kLastChunkSize) return lose(stream);
            if (rest < kLastChunkSize) return false;
            if (!is_last_chunk(stream.tail())) return lose(stream);
            end_ns_ = stream.end_ns();
            stream.skip_to(stream.end());
            return true;
        }
        const std::string_view bytes = stream.bytes();
        const std::uint64_t now = stream.time_before(stream.head() + bytes.size());
        if (chunk_ == Chunk::Size) {
            std::size_t consumed = 0;
            const auto size = parse_chunk_size(bytes, consumed);
            if (!size) {
                if (size.error() == Stop::NeedMore && !stream.is_cut()) return false;
                return lose(stream);
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
            return lose(stream);
        }
        const bool is_end = newline == 0 || (newline == 1 && bytes[0] == '\r');
        stream.consume(newline + 1);
        if (!is_end) continue;
        end_ns_ = now;
        return true;
    }
}

bool Body::lose(streams::Stream& stream) {
    kind_ = Kind::Lost;
    is_size_known_ = false;
    return advance_lost(stream);
}

bool Body::advance_lost(streams::Stream& stream) {
    end_ns_ = stream.end_ns();
    stream.skip_to(stream.end());
    return is_last_chunk(stream.tail()) || stream.is_closed();
}

void Body::end_at(streams::Stream& stream, std::uint64_t position) {
    end_ns_ = stream.time_before(position);
    stream.skip_to(std::max(position, stream.head()));
    if (kind_ != Kind::None) is_size_known_ = false;
    kind_ = Kind::None;
}

}  // namespace waggle::protocols::http1
