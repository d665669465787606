// SPDX-License-Identifier: Apache-2.0
#include "sensors/releaser.h"

#include <bpf/libbpf.h>
#include <pthread.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/parallel.h"

namespace waggle::sensors {
namespace {

template <typename Link>
std::vector<Link> take(std::vector<Link>& from, std::size_t most) {
    const auto begin = std::prev(from.end(), static_cast<std::ptrdiff_t>(std::min(most, from.size())));
    std::vector<Link> some(std::make_move_iterator(begin), std::make_move_iterator(from.end()));
    from.erase(begin, from.end());
    return some;
}

}  // namespace

void ProbeLinks::add(ProbeLinks more) {
    for (Fd& link : more.multi) multi.push_back(std::move(link));
    single.insert(single.end(), more.single.begin(), more.single.end());
}

ProbeLinks ProbeLinks::take_some() { return {take(multi, kMultiAtOnce), take(single, kSingleAtOnce)}; }

// Of one file they stand in each other's way, and take the processors with waiting: few at once where each is a file's.
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
        if (!is_over_ && waiting_.size() + under_way_ < kMost) {
            waiting_.add(std::exchange(links, {}));
            if (!thread_.joinable()) thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
        }
    }
    if (links.size() > 0) return release_(links);
    changed_.notify_one();
}

void Releaser::run(std::stop_token stop) {
    ::pthread_setname_np(::pthread_self(), "probes");
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [this] { return waiting_.size() > 0; }) && !stop.stop_requested()) {
        ProbeLinks some = waiting_.take_some();
        under_way_ = some.size();
        lock.unlock();
        release_(some);
        lock.lock();
        under_way_ = 0;
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
    if (links.size() > 0) release_(links);
}

}  // namespace waggle::sensors
