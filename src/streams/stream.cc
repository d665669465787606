// SPDX-License-Identifier: Apache-2.0
#include "streams/stream.h"

#include <algorithm>

namespace waggle::streams {

Stream::Segment Stream::gap(std::uint64_t from, std::uint64_t to) { return {from, to - from, 0, 0, 0, 0, true, false}; }

void Stream::begin_at(std::uint64_t position) {
    if (is_started_ || position > kMaxPosition) return;
    is_started_ = true;
    head_ = end_ = position;
}

void Stream::shrink() {
    if (buffer_.empty()) buffer_ = {};
    if (segments_.empty()) segments_ = {};
}

std::uint64_t Stream::append(const Piece& piece) {
    if (piece.position > kMaxPosition || piece.size > kMaxPosition || piece.bytes.size() > piece.size) return 0;
    begin_at(piece.position);
    if (piece.position < end_) {
        fill(piece);
        if (piece.position + piece.size <= end_) return 0;
    }
    std::uint64_t missing = 0;
    if (piece.position > end_) {
        missing = piece.position - end_;
        Segment segment = gap(end_, piece.position);
        // The turn that the piece belongs to begins in there.
        segment.starts_turn = piece.turn > end_turn_ && !piece.starts_turn;
        if (segment.starts_turn) segment.turn = piece.turn;
        push(segment, {});
    }
    // What overlaps with bytes that are known is cut off in front.
    const std::uint64_t known = end_ > piece.position ? end_ - piece.position : 0;
    const std::uint64_t from = piece.position + known;
    const std::uint64_t captured = piece.bytes.size() > known ? piece.bytes.size() - known : 0;
    const bool starts_turn = piece.starts_turn && known == 0;
    if (captured)
        push({from, captured, piece.first_ns, piece.last_ns, piece.order, piece.turn, false, starts_turn,
              piece.queue_us},
             piece.bytes.substr(known));
    if (const std::uint64_t rest = piece.size - known - captured; rest)
        push({from + captured, rest, piece.first_ns, piece.last_ns, piece.order, piece.turn, true,
              starts_turn && !captured},
             {});
    end_ns_ = piece.last_ns;
    end_turn_ = piece.turn;
    // A short last piece has the bytes before it in front.
    if (missing || piece.bytes.size() != piece.size) tail_ = 0;
    if (piece.bytes.size() == piece.size)
        for (const char c : piece.bytes.substr(std::max<std::uint64_t>(known, piece.size > 8 ? piece.size - 8 : 0)))
            tail_ = tail_ >> 8 | std::uint64_t{static_cast<unsigned char>(c)} << 56;
    return missing;
}

void Stream::progress(std::uint64_t end, std::uint64_t end_ns, std::uint64_t tail, std::uint32_t turn) {
    if (!is_started_ || end <= end_ || end > kMaxPosition) return;
    // Of fewer than eight new bytes only these are told; what stands before them may be known.
    if (const std::uint64_t size = end - end_; size < 8) tail |= tail_ >> (8 * size);
    if (turn > end_turn_) {
        Segment segment = gap(end_, end);
        segment.starts_turn = true;
        segment.turn = turn;
        push(segment, {});
        end_turn_ = turn;
    } else {
        push({end_, end - end_, end_ns, end_ns, 0, end_turn_, true, false}, {});
    }
    end_ns_ = end_ns;
    tail_ = tail;
}

bool Stream::has_room(std::size_t bytes, std::size_t segments) const {
    return buffer_.size() - offset_ + bytes <= kMaxBuffered && segments_.size() + segments <= kMaxSegments;
}

void Stream::push(const Segment& segment, std::string_view bytes) {
    end_ = std::max(end_, segment.end());
    if (segment.end() <= head_) return;  // skipped in advance
    Segment kept = segment;
    if (kept.position < head_) {
        const std::uint64_t cut = head_ - kept.position;
        kept.position = head_;
        kept.size -= cut;
        kept.starts_turn = false;
        if (!kept.is_hole) bytes.remove_prefix(cut);
    }
    if (segments_.size() >= kMaxSegments) merge_pairs();
    if (!has_room(bytes.size(), 1)) {
        // Nobody consumes: what is here becomes one hole, the newest bytes win.
        segments_.clear();
        buffer_.clear();
        offset_ = 0;
        if (kept.position > head_) segments_.push_back(gap(head_, kept.position));
    }
    // Holes in a row are one, unless something else is known of the second.
    if (kept.is_hole && !segments_.empty() && segments_.back().is_hole && !kept.starts_turn &&
        !kept.last_ns == !segments_.back().last_ns && (!kept.order || kept.order == segments_.back().order) &&
        segments_.back().end() == kept.position) {
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

// Some programs read byte by byte: two pieces of one turn become one, whose times are a little coarser.
void Stream::merge_pairs() {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < segments_.size(); ++i) {
        Segment segment = segments_[i];
        const bool is_known = segment.last_ns != 0;
        if (i + 1 < segments_.size()) {
            const Segment& next = segments_[i + 1];
            if (segment.end() == next.position && segment.is_hole == next.is_hole && !next.starts_turn &&
                segment.order == next.order && segment.turn == next.turn && is_known == (next.last_ns != 0)) {
                segment.size += next.size;
                segment.last_ns = next.last_ns;
                ++i;
            }
        }
        segments_[kept++] = segment;
    }
    segments_.resize(kept);
}

// A piece that comes after later ones: its bytes go into the holes that were left for them.
void Stream::fill(const Piece& piece) {
    std::size_t at = offset_;
    for (std::size_t i = 0; i < segments_.size(); ++i) {
        if (segments_[i].position >= piece.position + piece.bytes.size()) return;
        if (segments_[i].is_hole) i += fill_hole(i, at, piece);
        if (!segments_[i].is_hole) at += segments_[i].size;
    }
}

// Returns how many segments further the filled one now is.
std::size_t Stream::fill_hole(std::size_t index, std::size_t at, const Piece& piece) {
    const Segment hole = segments_[index];
    const std::uint64_t from = std::max(hole.position, piece.position);
    const std::uint64_t to = std::min(hole.end(), piece.position + std::uint64_t{piece.bytes.size()});
    if (from >= to || !has_room(to - from, 2)) return 0;
    const bool has_rest = to < hole.end();
    const std::size_t before = from > hole.position ? 1 : 0;
    buffer_.insert(at, piece.bytes.substr(from - piece.position, to - from));
    segments_.insert(segments_.begin() + static_cast<std::ptrdiff_t>(index), before + (has_rest ? 1 : 0), hole);
    if (before) segments_[index].size = from - hole.position;
    if (before) segments_[index + 1].starts_turn = false;
    segments_[index + before] = {from,        to - from,  piece.first_ns, piece.last_ns,
                                 piece.order, piece.turn, false,          piece.starts_turn && from == piece.position};
    if (has_rest) {
        Segment& rest = segments_[index + before + 1];
        rest.position = to;
        rest.size = hole.end() - to;
        rest.starts_turn = false;
    }
    return before;
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

void Stream::note_before(const Segment& segment) {
    if (segment.last_ns) ns_before_ = segment.last_ns;
    if (!segment.is_hole || segment.order) turn_before_ = segment.turn;
}

void Stream::skip_to(std::uint64_t position) {
    if (position <= head_) return;
    std::size_t gone = 0;
    for (; gone < segments_.size(); ++gone) {
        Segment& segment = segments_[gone];
        if (segment.end() > position) {
            const std::uint64_t cut = position > segment.position ? position - segment.position : 0;
            if (!segment.is_hole) offset_ += cut;
            segment.position += cut;
            segment.size -= cut;
            if (!cut) break;
            segment.starts_turn = false;
            note_before(segment);
            break;
        }
        if (!segment.is_hole) offset_ += segment.size;
        note_before(segment);
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

std::optional<std::uint64_t> Stream::turn_after(std::uint64_t position) const {
    for (const Segment& segment : segments_)
        if (segment.starts_turn && segment.position > position) return segment.position;
    return {};
}

bool Stream::skip_to_next_turn() {
    const std::optional<std::uint64_t> turn = turn_after(head_);
    skip_to(turn.value_or(end_));
    return turn.has_value();
}

std::optional<std::uint64_t> Stream::position_after_order(std::uint64_t order) const {
    for (const Segment& segment : segments_)
        if (segment.order > order) return segment.position;
    return {};
}

std::optional<std::uint64_t> Stream::next_piece() const {
    if (segments_.size() < 2) return {};
    return segments_[1].position;
}

std::uint64_t Stream::time_before(std::uint64_t position) const {
    std::uint64_t time = ns_before_;
    for (const Segment& segment : segments_) {
        if (segment.position >= position) break;
        if (segment.last_ns) time = segment.last_ns;
    }
    return time ? time : end_ns_;
}

bool Stream::is_gap_at(std::uint64_t position) const {
    for (const Segment& segment : segments_)
        if (segment.position <= position && position < segment.end()) return segment.is_hole && !segment.last_ns;
    return false;
}

}  // namespace waggle::streams
