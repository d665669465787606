// SPDX-License-Identifier: Apache-2.0
// Channel<T>: the only way work moves between threads. Bounded; a full channel gives its oldest
// item back to the sender, so that the loss can be counted where it happens. Never blocks a sender.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace waggle {

template <typename T>
class Channel {
  public:
    explicit Channel(size_t capacity) : capacity_(capacity) {}

    // Returns the item that had to make room, if any (the new one itself when the channel is closed).
    std::optional<T> push(T item) {
        std::optional<T> dropped;
        {
            std::lock_guard lock(mutex_);
            if (closed_) return item;
            if (items_.size() >= capacity_) {
                dropped = std::move(items_.front());
                items_.pop_front();
            }
            items_.push_back(std::move(item));
        }
        ready_.notify_one();
        return dropped;
    }

    // Waits for an item until the deadline. Empty when it passed, or closed and drained.
    template <typename Clock, typename Duration>
    std::optional<T> pop_until(std::chrono::time_point<Clock, Duration> deadline) {
        std::unique_lock lock(mutex_);
        ready_.wait_until(lock, deadline, [&] { return !items_.empty() || closed_; });
        return take();
    }

    std::optional<T> pop_for(std::chrono::milliseconds wait) {
        return pop_until(std::chrono::steady_clock::now() + wait);
    }

    std::optional<T> try_pop() {
        std::lock_guard lock(mutex_);
        return take();
    }

    // No further push succeeds; receivers drain what is left.
    void close() {
        {
            std::lock_guard lock(mutex_);
            closed_ = true;
        }
        ready_.notify_all();
    }

    bool is_closed() const {
        std::lock_guard lock(mutex_);
        return closed_;
    }

    size_t size() const {
        std::lock_guard lock(mutex_);
        return items_.size();
    }

  private:
    std::optional<T> take() {
        if (items_.empty()) return std::nullopt;
        std::optional<T> item = std::move(items_.front());
        items_.pop_front();
        return item;
    }

    const size_t capacity_;
    mutable std::mutex mutex_;
    std::condition_variable ready_;
    std::deque<T> items_;
    bool closed_ = false;
};

}  // namespace waggle
