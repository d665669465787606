// SPDX-License-Identifier: Apache-2.0
#include "agent/shared_calls.h"

#include <algorithm>

namespace waggle::agent {

using protocols::Caller;
using protocols::CallKey;
using protocols::ServerTrace;

std::optional<Caller> SharedCalls::serve(const CallKey& call, const ServerTrace& trace, std::uint64_t now_ns) {
    Part& part = part_of(call);
    std::lock_guard lock(part.mutex);
    return part.calls.serve(call, trace, now_ns);
}

std::optional<Caller> SharedCalls::take(const CallKey& call, const ServerTrace& trace) {
    Part& part = part_of(call);
    std::lock_guard lock(part.mutex);
    return part.calls.take(call, trace);
}

std::optional<spans::TraceId> SharedCalls::add(const CallKey& call, const Caller& caller, std::uint64_t now_ns) {
    Part& part = part_of(call);
    std::lock_guard lock(part.mutex);
    return part.calls.add(call, caller, now_ns);
}

void SharedCalls::rename(const spans::TraceId& trace, const Caller& caller, std::uint64_t now_ns) {
    Part& part = part_of(trace);
    std::lock_guard lock(part.mutex);
    part.calls.rename(trace, caller, now_ns);
}

std::optional<Caller> SharedCalls::renamed(const spans::TraceId& trace) {
    Part& part = part_of(trace);
    std::lock_guard lock(part.mutex);
    return part.calls.renamed(trace);
}

void SharedCalls::expire(std::uint64_t now_ns) {
    for (Part& part : parts_) {
        std::lock_guard lock(part.mutex);
        part.calls.expire(now_ns);
    }
}

std::size_t SharedCalls::enter() {
    std::lock_guard lock(drained_mutex_);
    drained_.push_back(UINT64_MAX);
    return drained_.size() - 1;
}

std::uint64_t SharedCalls::drained(std::size_t reader, std::uint64_t until_ns) {
    {
        std::lock_guard lock(drained_mutex_);
        drained_[reader] = until_ns;
        until_ns = *std::ranges::min_element(drained_);
    }
    const auto is_peer = [this](const CallKey& connection) {
        std::lock_guard lock(peers_mutex_);
        return peers_.has(connection);
    };
    std::uint64_t first_ns = until_ns;
    for (Part& part : parts_) {
        std::lock_guard lock(part.mutex);
        first_ns = std::min(first_ns, part.calls.first_awaited(until_ns, is_peer));
    }
    return first_ns;
}

void SharedCalls::connect(const CallKey& connection) {
    std::lock_guard lock(peers_mutex_);
    peers_.add(connection);
}

void SharedCalls::disconnect(const CallKey& connection) {
    std::lock_guard lock(peers_mutex_);
    peers_.remove(connection);
}

}  // namespace waggle::agent
