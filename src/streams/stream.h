// SPDX-License-Identifier: Apache-2.0
// Stream: one direction of a connection as a run of bytes with known holes. Bytes stand at their
// position whatever order the events came in; what was not copied is a hole of exact length. A parser
// looks at bytes(), consumes or skips, and asks for times. Pure; memory bounded by kMaxBuffered.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace waggle::streams {

struct Piece {
    std::uint64_t position = 0;
    std::uint64_t size = 0;  // whole length, what was not captured included
    std::string_view bytes;  // the first bytes.size() of it
    std::uint64_t first_ns = 0;
    std::uint64_t last_ns = 0;
    // Receive: stands after all sends below this position; send: all that had been received lies below.
    std::uint64_t order = 0;
    std::uint32_t turn = 0;
    bool starts_turn = false;
    std::uint32_t queue_us = 0;  // receive: how long its first byte had waited to be read, 0: unknown
};

class Stream {
  public:
    static constexpr std::uint64_t kMaxPosition = 1ull << 62;
    static constexpr std::size_t kMaxBuffered = 64 * 1024;
    static constexpr std::size_t kMaxSegments = 256;

    // Its bytes begin here, where that is known before the first one comes; later it means nothing.
    void begin_at(std::uint64_t position);
    bool is_started() const { return is_started_; }
    // Nothing was told of it.
    bool is_untouched() const { return end_ns_ == 0; }
    // The turn of the newest bytes.
    std::uint32_t last_turn() const { return end_turn_; }

    // Returns the bytes that are missing before it (a gap nobody reported). The first one is where the
    // stream begins; positions beyond kMaxPosition are nobody's and ignored.
    std::uint64_t append(const Piece& piece);
    // Bytes of this turn up to `end` went by without being copied; the last eight of them, newest in the
    // high byte. A turn that nothing was seen of began with a loss.
    void progress(std::uint64_t end, std::uint64_t end_ns, std::uint64_t tail, std::uint32_t turn);
    // The tail of what was appended last, where it was longer than its capture.
    void set_tail(std::uint64_t tail) { tail_ = tail; }
    void close() { is_closed_ = true; }

    // Captured bytes at the head, up to the first hole.
    std::string_view bytes() const;
    // True when what follows bytes() is a hole, so that waiting brings nothing.
    bool is_cut() const;
    // Bytes of the hole at the head, 0 when there is none.
    std::uint64_t hole() const;
    std::uint64_t head() const { return head_; }
    std::uint64_t end() const { return end_; }
    std::uint64_t end_ns() const { return end_ns_; }
    bool is_closed() const { return is_closed_; }
    // Last eight bytes before end(), zero when unknown.
    std::uint64_t tail() const { return tail_; }
    bool is_empty() const { return end_ <= head_; }
    // Bytes of memory beside the object itself.
    std::size_t memory() const { return buffer_.capacity() + segments_.capacity() * sizeof(Segment); }
    // Gives back what is not needed now; the next piece asks for it anew.
    void shrink();

    // Moves the head forward, over holes and beyond end() (what comes later is dropped on arrival).
    void skip_to(std::uint64_t position);
    void consume(std::uint64_t size) { skip_to(head_ + size); }
    // To the first byte of the next turn after the head; false (all dropped) when none is here yet.
    bool skip_to_next_turn();

    // Facts about the piece at the head; zero when nothing is there.
    std::uint64_t first_ns() const { return segments_.empty() ? 0 : segments_.front().first_ns; }
    std::uint64_t order() const { return segments_.empty() ? 0 : segments_.front().order; }
    std::uint32_t turn() const { return segments_.empty() ? 0 : segments_.front().turn; }
    std::uint32_t queue_us() const { return segments_.empty() ? 0 : segments_.front().queue_us; }
    bool is_at_turn_start() const {
        return !segments_.empty() && segments_.front().starts_turn && segments_.front().position == head_;
    }
    // The turn that was last seen to begin before the head.
    std::uint32_t turn_before() const { return turn_before_; }
    // Position of the first piece at or after the head whose order is known to lie above `order`.
    std::optional<std::uint64_t> position_after_order(std::uint64_t order) const;
    // Where the first turn begins that stands at or after the head, but after `position`.
    std::optional<std::uint64_t> turn_after(std::uint64_t position) const;
    // Where the first piece begins that stands after the head.
    std::optional<std::uint64_t> next_piece() const;
    // When the byte before `position` had gone by; of bytes that nobody reported, when those before them.
    std::uint64_t time_before(std::uint64_t position) const;
    // True when nobody reported the byte at `position`, which lies at or after the head.
    bool is_gap_at(std::uint64_t position) const;

  private:
    // Times and order are zero in a gap: a hole that nobody reported.
    struct Segment {
        std::uint64_t position;
        std::uint64_t size;
        std::uint64_t first_ns;
        std::uint64_t last_ns;
        std::uint64_t order;
        std::uint32_t turn;
        bool is_hole;
        bool starts_turn;
        std::uint32_t queue_us = 0;
        std::uint64_t end() const { return position + size; }
    };

    static Segment gap(std::uint64_t from, std::uint64_t to);
    void push(const Segment& segment, std::string_view bytes);
    void note_before(const Segment& segment);
    void merge_pairs();
    void fill(const Piece& piece);
    std::size_t fill_hole(std::size_t index, std::size_t at, const Piece& piece);
    bool has_room(std::size_t bytes, std::size_t segments) const;

    std::vector<Segment> segments_;
    std::string buffer_;      // bytes of all segments that are no holes, in order
    std::size_t offset_ = 0;  // of the head's byte in buffer_
    std::uint64_t head_ = 0;
    std::uint64_t end_ = 0;
    std::uint64_t end_ns_ = 0;
    std::uint64_t tail_ = 0;
    std::uint64_t ns_before_ = 0;  // when the byte before the head had gone by
    std::uint32_t turn_before_ = 0;
    std::uint32_t end_turn_ = 0;
    bool is_started_ = false;
    bool is_closed_ = false;
};

}  // namespace waggle::streams
