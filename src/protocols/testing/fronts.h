// SPDX-License-Identifier: Apache-2.0
// Fronts: what the kernel side copies of a call whose frames it follows (bpf/lib/frames.h, held to this by
// tests/native/frames_test.cc), for Socket.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "bpf/lib/framing.h"

namespace waggle::protocols::testing {

// Bytes of a call from `from` to `end`, of which those before `until` are copied.
struct Front {
    std::uint64_t from = 0;
    std::uint64_t until = 0;
    std::uint64_t end = 0;
};

class Fronts {
  public:
    explicit Fronts(std::uint64_t size) : size_(size) {}

    void want(std::uint64_t begin, std::uint64_t end) {
        end = std::min(end, size_);
        if ((begin > until_ + kGap || end > from_ + kMost) && begin > from_) flush(begin);
        until_ = std::max(until_, std::min(end, from_ + kMost));
    }
    std::vector<Front> take() {
        flush(size_);
        return std::move(all_);
    }

  private:
    static constexpr std::uint64_t kGap = 128;
    static constexpr std::uint64_t kMost = 16384;

    void flush(std::uint64_t end) {
        all_.push_back({from_, until_, end});
        from_ = until_ = end;
    }

    std::uint64_t size_;
    std::uint64_t from_ = 0;
    std::uint64_t until_ = 0;
    std::vector<Front> all_;
};

inline std::vector<Front> follow_frames(const wg_framing& framing, wg_frames& frames, std::uint64_t position,
                                        bool is_new_turn, std::string_view bytes) {
    const std::uint64_t size = bytes.size();
    Fronts fronts(size);
    wg_frames_begin(&frames, &framing, position, is_new_turn);
    std::uint64_t at = 0;
    if (frames.is_followed) {
        const std::uint64_t first = std::min<std::uint64_t>(frames.wanted, size);
        if (first) fronts.want(0, first);
        frames.wanted -= static_cast<std::uint32_t>(first);
        at = frames.left;
    }
    while (at < size && frames.is_followed) {
        const std::uint64_t have = frames.have;
        const std::uint64_t missing = std::min(framing.header - have, size - at);
        std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), missing, frames.header + have);
        if (have + missing < framing.header) {
            frames.have = static_cast<std::uint8_t>(have + missing);
            fronts.want(at, size);
            at = size;
            break;
        }
        __u64 total = 0, wanted = 0;
        frames.have = 0;
        frames.is_followed = wg_next_frame(&frames, &framing, &total, &wanted);
        if (!frames.is_followed) break;
        const std::uint64_t end = at + wanted - have;
        fronts.want(at, end);
        if (end > size) frames.wanted = static_cast<std::uint32_t>(end - size);
        at += total - have;
    }
    if (at < size) {
        frames.is_followed = 0;
        fronts.want(at, size);
    }
    frames.left = at < size ? 0 : at - size;
    frames.position = position + size;
    return fronts.take();
}

}  // namespace waggle::protocols::testing
