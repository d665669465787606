// SPDX-License-Identifier: Apache-2.0
// Heartbeat: tells the kernel side that the agent lives while no reader does so yet: the first look at all processes
// may take longer than programs wait (WG_STALE_NS) before they pass everything over.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

#include "base/clock.h"
#include "sensors/capture.h"

namespace waggle::agent {

class Heartbeat {
  public:
    // Programs may have targets before the thread has begun: the first beat is the caller's.
    explicit Heartbeat(sensors::Capture& capture) {
        capture.beat(monotonic_now());
        thread_ = std::jthread([this, &capture](const std::stop_token& stop) {
            std::unique_lock lock(mutex_);
            do {
                capture.beat(monotonic_now());
                wake_.wait_for(lock, stop, kEvery, [] { return false; });
            } while (!stop.stop_requested());
        });
    }

  private:
    static constexpr std::chrono::milliseconds kEvery{200};

    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::jthread thread_;  // last: ends first
};

}  // namespace waggle::agent
