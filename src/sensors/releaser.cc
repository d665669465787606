// SPDX-License-Identifier: Apache-2.0
#include "sensors/releaser.h"

#include <bpf/libbpf.h>
#include <pthread.h>

#include <utility>

#include "base/parallel.h"

namespace waggle::sensors {
namespace {

// Of one file they stand in each other's way, and take the processors with waiting.
constexpr std::size_t kMultiAtOnce = 4;

}  // namespace

void ProbeLinks::add(ProbeLinks more) {
    for (Fd& link : more.multi) multi.push_back(std::move(link));
    single.insert(single.end(), more.single.begin(), more.single.end());
}

void ProbeLinks::release() {
    in_parallel(multi.size(), kMultiAtOnce, [&](std::size_t i) { multi[i].reset(); });
    in_parallel(single.size(), kSingleAtOnce, [&](std::size_t i) { bpf_link__destroy(single[i]); });
    multi.clear();
    single.clear();
}

void Releaser::add(ProbeLinks links) {
    if (links.size() == 0) return;
    {
        std::lock_guard lock(mutex_);
        if (!is_over_ && waiting_.size() < kMost) {
            waiting_.add(std::exchange(links, {}));
            if (!thread_.joinable()) thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
        }
    }
    if (links.size() > 0) return links.release();
    changed_.notify_one();
}

void Releaser::run(std::stop_token stop) {
    ::pthread_setname_np(::pthread_self(), "probes");
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [this] { return waiting_.size() > 0; }) && !stop.stop_requested()) {
        ProbeLinks links = std::exchange(waiting_, {});
        lock.unlock();
        links.release();
        lock.lock();
    }
}

void Releaser::finish() {
    std::jthread thread;
    ProbeLinks links;
    {
        std::lock_guard lock(mutex_);
        is_over_ = true;
        links = std::exchange(waiting_, {});
        thread = std::move(thread_);
    }
    thread.request_stop();
    links.release();
}

}  // namespace waggle::sensors
