// SPDX-License-Identifier: Apache-2.0
// Stream: one direction of a connection as a run of bytes with known holes. Bytes stand at their
// position whatever order the events came in; what was not copied is a hole of exact length. A parser
// looks at bytes(), consumes or skips, and asks for times. Pure; memory bounded by kMaxBuffered.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace waggle::streams {

struct Piece {
    std::uint64_t position = 0;
    std::uint64_t size = 0;   // whole length, what was not captured included
    std::string_view bytes;   // the first bytes.size() of it
    std::uint64_t first_ns = 0;
    std::uint64_t last_ns = 0;
    std::uint64_t order = 0;  // receive: stands after all sends below this position
    std::uint32_t turn = 0;
    bool starts_turn = false;
};

class Stream {
  public:
    static constexpr std::size_t kMaxBuffered = 64 * 1024;
    static constexpr std::size_t kMaxSegments = 256;

    // Where the next byte is expected, before anything was appended.
    void start_at(std::uint64_t position);
    bool is_started() const { return is_started_; }

    // Returns the bytes that are missing before it (a gap nobody reported).
    std::uint64_t append(const Piece& piece);
    // Bytes up to `end` went by without being copied; the last eight of them, newest in the high byte.
    void progress(std::uint64_t end, std::uint64_t end_ns, std::uint64_t tail);
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

    // Moves the head forward, over holes and beyond end() (what comes later is dropped on arrival).
    void skip_to(std::uint64_t position);
    void consume(std::uint64_t size) { skip_to(head_ + size); }
    // To the first byte of the next turn after the head; false (all dropped) when none is here yet.
    bool skip_to_next_turn();

    // Facts about the piece at the head; zero when nothing is there.
    std::uint64_t first_ns() const { return segments_.empty() ? 0 : segments_.front().first_ns; }
    std::uint64_t order() const { return segments_.empty() ? 0 : segments_.front().order; }
    std::uint32_t turn() const { return segments_.empty() ? 0 : segments_.front().turn; }
    bool is_at_turn_start() const {
        return !segments_.empty() && segments_.front().starts_turn && segments_.front().position == head_;
    }
    // Position of the first piece at or after the head whose order lies above `order`, or end().
    std::uint64_t position_after_order(std::uint64_t order) const;
    // When the byte before `position` had gone by, as far as pieces tell.
    std::uint64_t time_before(std::uint64_t position) const;

  private:
    struct Segment {
        std::uint64_t position;
        std::uint64_t size;
        std::uint64_t first_ns;
        std::uint64_t last_ns;
        std::uint64_t order;
        std::uint32_t turn;
        bool is_hole;
        bool starts_turn;
    };

    void push(const Segment& segment, std::string_view bytes);
    void fill(const Piece& piece);

    std::vector<Segment> segments_;
    std::string buffer_;  // bytes of all segments that are no holes, in order
    std::size_t offset_ = 0;  // of the head's byte in buffer_
    std::uint64_t head_ = 0;
    std::uint64_t end_ = 0;
    std::uint64_t end_ns_ = 0;
    std::uint64_t tail_ = 0;
    bool is_started_ = false;
    bool is_closed_ = false;
};

}  // namespace waggle::streams
