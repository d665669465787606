// SPDX-License-Identifier: Apache-2.0
#include "protocols/calls.h"

#include <algorithm>
#include <cstring>

namespace waggle::protocols {
namespace {

// Both ends' events of one request come within milliseconds; a caller that waited longer was not seen.
constexpr std::uint64_t kHoldNs = 2'000'000'000;
// What a server called before its own caller was known may take longer.
constexpr std::uint64_t kRenamedNs = 60'000'000'000;
// Longer than threads are put aside on a busy machine.
constexpr std::uint64_t kMaxAwaitedNs = 300'000'000;

CallKey key_of(const spans::TraceId& trace) {
    CallKey key;
    std::memcpy(&key.a, trace.bytes.data(), 8);
    std::memcpy(&key.b, trace.bytes.data() + 8, 8);
    return key;
}

}  // namespace

std::uint64_t mix(std::uint64_t value) {
    value ^= value >> 33;
    value *= 0xff51afd7ed558ccdu;
    return value ^ value >> 33;
}

HeldCalls::HeldCalls(std::size_t max_held)
    : callers_(kHoldNs, max_held), early_(kHoldNs, max_held), renamed_(kRenamedNs, max_held) {}

std::optional<Caller> HeldCalls::serve(const CallKey& call, const ServerTrace& trace, std::uint64_t now_ns) {
    if (auto caller = take(call, trace)) return caller;
    early_.add(call, trace, now_ns);
    return {};
}

std::optional<Caller> HeldCalls::take(const CallKey& call, const ServerTrace& trace) {
    const Caller* found = callers_.find(call);
    // A header that came with the call names the trace; the caller's span stands between it and the server's.
    if (!found || (!trace.is_own && !(found->trace_id == trace.trace_id))) return {};
    const Caller caller = *found;
    callers_.erase(call);
    return caller;
}

std::optional<spans::TraceId> HeldCalls::add(const CallKey& call, const Caller& caller, std::uint64_t now_ns) {
    callers_.add(call, caller, now_ns);
    const ServerTrace* early = early_.find(call);
    if (!early) return {};
    const ServerTrace server = *early;
    early_.erase(call);
    if (!server.is_own) return {};
    return server.trace_id;
}

void HeldCalls::rename(const spans::TraceId& trace, const Caller& caller, std::uint64_t now_ns) {
    renamed_.add(key_of(trace), caller, now_ns);
}

std::optional<Caller> HeldCalls::renamed(const spans::TraceId& trace) {
    const Caller* found = renamed_.find(key_of(trace));
    if (!found) return {};
    return *found;
}

void HeldCalls::expire(std::uint64_t now_ns) {
    callers_.expire(now_ns);
    early_.expire(now_ns);
    renamed_.expire(now_ns);
}

std::size_t HeldCalls::enter() {
    drained_.push_back(UINT64_MAX);
    return drained_.size() - 1;
}

std::uint64_t HeldCalls::drained(std::size_t reader, std::uint64_t until_ns) {
    drained_[reader] = until_ns;
    return first_awaited(*std::ranges::min_element(drained_), [this](const CallKey& peer) { return peers_.has(peer); });
}

std::uint64_t HeldCalls::first_awaited(std::uint64_t until_ns, const std::function<bool(const CallKey&)>& is_peer) {
    std::uint64_t first_ns = until_ns;
    early_.visit(awaited_, [&](const CallKey& call, std::uint64_t since_ns) {
        if (since_ns >= until_ns) return false;  // its peer may be reported yet
        if (since_ns + kMaxAwaitedNs < until_ns || !is_peer(call.connection())) return true;
        first_ns = since_ns;
        return false;
    });
    return first_ns;
}

}  // namespace waggle::protocols
