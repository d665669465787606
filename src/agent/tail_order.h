// SPDX-License-Identifier: Apache-2.0
// TailOrder: tails stand in a map, events in a ring, and what a tail tells of stands after events of its turn that may
// still be in the ring (a framed rule reports both). So tails are read before the ring is, and hold once all that was
// in it has been taken.
#pragma once

#include <cstdint>

#include "sensors/ring.h"

namespace waggle::agent {

class TailOrder {
  public:
    // How many records the ring holds at most: a ring that is never empty must not hold tails up for ever.
    explicit TailOrder(std::uint64_t capacity) : capacity_(capacity) {}

    bool is_waiting() const { return is_waiting_; }
    // The map was read.
    void read() {
        is_waiting_ = true;
        taken_ = 0;
    }
    // So many records were taken since then. True, once: what was read holds.
    bool take(int records) {
        taken_ += static_cast<std::uint64_t>(records);
        if (!is_waiting_ || (records == sensors::RingReader::kMost && taken_ < capacity_)) return false;
        is_waiting_ = false;
        return true;
    }

  private:
    std::uint64_t capacity_;
    std::uint64_t taken_ = 0;
    bool is_waiting_ = false;
};

}  // namespace waggle::agent
