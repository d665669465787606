// SPDX-License-Identifier: Apache-2.0
// Rings: creates BPF ring buffers and drains one of them.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "base/fd.h"
#include "base/result.h"

struct ring_buffer;

namespace waggle::sensors {

// A new ring of size bytes (rounded up to a power of two of pages).
Result<Fd> create_ring(std::uint32_t bytes);

class RingReader {
  public:
    // Called for each record; the bytes are read-only and valid during the call.
    using Callback = std::function<void(std::span<const std::byte>)>;

    // What ends a wait: any record that is there, or only that a program has asked for attention since.
    enum class Woken { ByRecords, WhenAsked };
    static Result<std::unique_ptr<RingReader>> open(int ring_fd, Woken woken, Callback callback);
    ~RingReader();
    RingReader(const RingReader&) = delete;
    RingReader& operator=(const RingReader&) = delete;

    // Takes what is there, at most kMost records: a full ring must not keep the caller from its other work. Returns how
    // many they were.
    static constexpr int kMost = 4096;
    int consume();
    // Returns when woken or when the time is over; at once where more was there the last time.
    void wait(std::chrono::milliseconds wait);

  private:
    RingReader() = default;
    static int on_record(void* self, void* data, size_t size);

    ring_buffer* ring_ = nullptr;
    Fd asked_;  // epoll, where only that counts
    Callback callback_;
    int taken_ = 0;
};

}  // namespace waggle::sensors
