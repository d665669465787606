// SPDX-License-Identifier: Apache-2.0
#include "streams/stream.h"

#include <algorithm>

namespace waggle::streams {

void Stream::start_at(std::uint64_t position) {
    is_started_ = true;
    head_ = end_ = position;
}

std::uint64_t Stream::append(const Piece& piece) {
    if (!is_started_) start_at(piece.position);
    if (piece.position < end_) {
        fill(piece);
        if (piece.position + piece.size <= end_) return 0;
    }
    std::uint64_t gap = 0;
    if (piece.position > end_) {
        gap = piece.position - end_;
        push({end_, gap, piece.first_ns, piece.first_ns, piece.order, piece.turn, true, false}, {});
    }
    // What overlaps with bytes that are known is cut off in front.
    const std::uint64_t known = end_ > piece.position ? end_ - piece.position : 0;
    const std::uint64_t from = piece.position + known;
    const std::uint64_t captured = piece.bytes.size() > known ? piece.bytes.size() - known : 0;
    const bool starts_turn = piece.starts_turn && known == 0;
    if (captured)
        push({from, captured, piece.first_ns, piece.last_ns, piece.order, piece.turn, false, starts_turn},
             piece.bytes.substr(known));
    if (const std::uint64_t rest = piece.size - known - captured; rest)
        push({from + captured, rest, piece.first_ns, piece.last_ns, piece.order, piece.turn, true,
              starts_turn && !captured},
             {});
    end_ns_ = piece.last_ns;
    tail_ = 0;
    if (piece.bytes.size() == piece.size)
        for (const char c : piece.bytes.substr(piece.size > 8 ? piece.size - 8 : 0))
            tail_ = tail_ >> 8 | std::uint64_t{static_cast<unsigned char>(c)} << 56;
    return gap;
}

void Stream::progress(std::uint64_t end, std::uint64_t end_ns, std::uint64_t tail) {
    if (!is_started_ || end <= end_) return;
    // Of fewer than eight new bytes only these are told; what stands before them may be known.
    if (const std::uint64_t size = end - end_; size < 8) tail |= tail_ >> (8 * size);
    push({end_, end - end_, end_ns, end_ns, 0, 0, true, false}, {});
    end_ns_ = end_ns;
    tail_ = tail;
}

void Stream::push(const Segment& segment, std::string_view bytes) {
    end_ = std::max(end_, segment.position + segment.size);
    if (segment.position + segment.size <= head_) return;  // skipped in advance
    Segment kept = segment;
    if (kept.position < head_) {
        const std::uint64_t cut = head_ - kept.position;
        kept.position = head_;
        kept.size -= cut;
        kept.starts_turn = false;
        if (!kept.is_hole) bytes.remove_prefix(cut);
    }
    if (buffer_.size() - offset_ + bytes.size() > kMaxBuffered || segments_.size() >= kMaxSegments) {
        // Nobody consumes: what is here becomes one hole, the newest bytes win.
        const std::uint64_t from = head_;
        segments_.clear();
        buffer_.clear();
        offset_ = 0;
        if (kept.position > from)
            segments_.push_back({from, kept.position - from, kept.first_ns, kept.first_ns, 0, 0, true, false});
    }
    // Holes in a row are one, unless a turn begins.
    if (kept.is_hole && !segments_.empty() && segments_.back().is_hole && !kept.starts_turn &&
        segments_.back().position + segments_.back().size == kept.position) {
        segments_.back().size += kept.size;
        segments_.back().last_ns = kept.last_ns;
        return;
    }
    segments_.push_back(kept);
    if (!bytes.empty()) {
        if (offset_ == buffer_.size()) {
            buffer_.clear();
            offset_ = 0;
        }
        buffer_.append(bytes);
    }
}

// A piece that comes after later ones: its bytes go into the hole that was left for them.
void Stream::fill(const Piece& piece) {
    std::size_t at = offset_;
    for (std::size_t i = 0; i < segments_.size(); ++i) {
        const Segment hole = segments_[i];
        if (!hole.is_hole) {
            at += hole.size;
            continue;
        }
        const std::uint64_t from = std::max(hole.position, piece.position);
        const std::uint64_t to =
            std::min(hole.position + hole.size, piece.position + std::uint64_t{piece.bytes.size()});
        if (from >= to) continue;
        std::vector<Segment> parts;
        if (from > hole.position) {
            parts.push_back(hole);
            parts.back().size = from - hole.position;
        }
        parts.push_back({from, to - from, piece.first_ns, piece.last_ns, piece.order, piece.turn, false,
                         piece.starts_turn && from == piece.position});
        if (to < hole.position + hole.size) {
            parts.push_back(hole);
            parts.back().position = to;
            parts.back().size = hole.position + hole.size - to;
        }
        buffer_.insert(at, piece.bytes.substr(from - piece.position, to - from));
        segments_.erase(segments_.begin() + static_cast<std::ptrdiff_t>(i));
        segments_.insert(segments_.begin() + static_cast<std::ptrdiff_t>(i), parts.begin(), parts.end());
        return;
    }
}

std::string_view Stream::bytes() const {
    std::size_t size = 0;
    for (const Segment& segment : segments_) {
        if (segment.is_hole) break;
        size += segment.size;
    }
    return std::string_view(buffer_).substr(std::min(offset_, buffer_.size()), size);
}

bool Stream::is_cut() const {
    for (const Segment& segment : segments_)
        if (segment.is_hole) return true;
    return false;
}

std::uint64_t Stream::hole() const {
    return !segments_.empty() && segments_.front().is_hole ? segments_.front().size : 0;
}

void Stream::skip_to(std::uint64_t position) {
    if (position <= head_) return;
    std::size_t gone = 0;
    for (; gone < segments_.size(); ++gone) {
        Segment& segment = segments_[gone];
        const std::uint64_t end = segment.position + segment.size;
        if (end > position) {
            const std::uint64_t cut = position > segment.position ? position - segment.position : 0;
            if (!segment.is_hole) offset_ += cut;
            segment.position += cut;
            segment.size -= cut;
            if (cut) segment.starts_turn = false;
            break;
        }
        if (!segment.is_hole) offset_ += segment.size;
    }
    segments_.erase(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(gone));
    if (offset_ >= buffer_.size()) {
        buffer_.clear();
        offset_ = 0;
    } else if (offset_ > kMaxBuffered / 2) {
        buffer_.erase(0, offset_);
        offset_ = 0;
    }
    head_ = position;
}

bool Stream::skip_to_next_turn() {
    for (const Segment& segment : segments_) {
        if (!segment.starts_turn || segment.position <= head_) continue;
        skip_to(segment.position);
        return true;
    }
    skip_to(end_);
    return false;
}

std::uint64_t Stream::position_after_order(std::uint64_t order) const {
    for (const Segment& segment : segments_)
        if (segment.order > order) return segment.position;
    return end_;
}

std::uint64_t Stream::time_before(std::uint64_t position) const {
    std::uint64_t time = 0;
    for (const Segment& segment : segments_) {
        if (segment.position >= position) break;
        time = segment.last_ns;
    }
    return time ? time : end_ns_;
}

}  // namespace waggle::streams
