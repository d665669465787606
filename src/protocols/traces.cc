// SPDX-License-Identifier: Apache-2.0
#include "protocols/traces.h"

#include <algorithm>
#include <cstring>

namespace waggle::protocols {
namespace {

constexpr std::size_t kMaxHeld = 65536;
constexpr std::size_t kMaxOpenPerThread = 64;
constexpr std::size_t kMaxThreads = 65536;
// Both ends' events of one request come within milliseconds; a caller that waited longer was not seen.
constexpr std::uint64_t kHoldNs = 2'000'000'000;
// What a server called before its own caller was known may take longer.
constexpr std::uint64_t kRenamedNs = 60'000'000'000;

std::uint64_t mix(std::uint64_t value) {
    value ^= value >> 33;
    value *= 0xff51afd7ed558ccdu;
    return value ^ value >> 33;
}

}  // namespace

template <typename Value>
const Value* Traces::Held<Value>::find(const Key& key) const {
    const auto found = values_.find(key);
    return found == values_.end() ? nullptr : &found->second.first;
}

template <typename Value>
void Traces::Held<Value>::add(const Key& key, const Value& value, std::uint64_t now_ns) {
    if (values_.size() >= kMaxHeld) expire(now_ns);
    if (values_.size() >= kMaxHeld) return;
    values_[key] = {value, now_ns};
    order_.emplace_back(now_ns, key);
}

template <typename Value>
void Traces::Held<Value>::expire(std::uint64_t now_ns) {
    while (head_ < order_.size() && order_[head_].first + hold_ns_ < now_ns) {
        const auto found = values_.find(order_[head_].second);
        if (found != values_.end() && found->second.second + hold_ns_ < now_ns) values_.erase(found);
        ++head_;
    }
    if (head_ > 4096 || head_ == order_.size()) {
        order_.erase(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(head_));
        head_ = 0;
    }
}

Traces::Traces(std::uint64_t seed) : ids_(seed), callers_(kHoldNs), early_(kHoldNs), renamed_(kRenamedNs) {}

Traces::Key Traces::key_of(const spans::TraceId& trace) {
    Key key;
    std::memcpy(&key.a, trace.bytes.data(), 8);
    std::memcpy(&key.b, trace.bytes.data() + 8, 8);
    return key;
}

// The caller of an exchange that has begun a trace of its own: that trace is the caller's.
void Traces::rename(const Key& call, const Caller& caller, std::uint64_t now_ns) {
    const Early* early = early_.find(call);
    if (!early) return;
    renamed_.add(key_of(early->trace_id), caller, now_ns);
    if (const auto open = open_.find(early->thread); open != open_.end())
        for (Open& exchange : open->second) {
            if (!(exchange.trace_id == early->trace_id)) continue;
            exchange.trace_id = caller.trace_id;
            exchange.flags = caller.flags;
            exchange.has_remote_root = caller.has_remote_root;
        }
    early_.erase(call);
}

void Traces::settle(TraceIds& ids) const {
    const Caller* now = renamed_.find(key_of(ids.trace_id));
    if (!now) return;
    ids.trace_id = now->trace_id;
    ids.flags = now->flags;
    ids.has_remote_root = now->has_remote_root;
}

Traces::Key Traces::key_of(const spans::SequenceIdentity& sequence) {
    std::uint64_t words[4];
    std::memcpy(words, sequence.client_address.data(), 16);
    std::memcpy(words + 2, sequence.server_address.data(), 16);
    const std::uint64_t ports = std::uint64_t{sequence.client_port} << 48 |
                                std::uint64_t{sequence.server_port} << 32 | sequence.request;
    return {mix(words[0] + mix(words[1] + mix(words[2] + mix(words[3])))), ports};
}

Traces::Key Traces::key_of(std::uint32_t pid, std::uint64_t thread) { return {pid, thread}; }

bool Traces::adopt_caller(const Call& call, TraceIds& ids) {
    if (!call.sequence.is_known) return false;
    const Key key = key_of(call.sequence);
    const Caller* caller = callers_.find(key);
    if (!caller) return false;
    // A header that came with the call names the trace; the caller's span stands between it and us.
    if (call.header && !(call.header->trace_id == caller->trace_id)) return false;
    ids.trace_id = caller->trace_id;
    ids.parent = caller->span_id;
    ids.flags = caller->flags;
    ids.has_remote_root = caller->has_remote_root;
    ids.source = spans::ParentSource::Exact;
    callers_.erase(key);
    ++joined_;
    return true;
}

void Traces::open_server(const Call& call, TraceIds& ids) {
    ids.span_id = ids_.span_id();
    ids.links.clear();
    if (adopt_caller(call, ids)) {
    } else if (call.header) {
        ids.trace_id = call.header->trace_id;
        ids.parent = call.header->span_id;
        ids.flags = call.header->flags;
        ids.has_remote_root = true;
        ids.source = spans::ParentSource::Header;
    } else {
        ids.trace_id = ids_.trace_id();
        ids.parent = {};
        ids.flags = spans::kSampled;
        ids.source = spans::ParentSource::None;
        if (call.sequence.is_known)
            early_.add(key_of(call.sequence), {ids.trace_id, key_of(call.pid, call.thread)}, call.now_ns);
    }
    if (!call.thread || open_.size() >= kMaxThreads) return;
    std::vector<Open>& open = open_[key_of(call.pid, call.thread)];
    if (open.size() < kMaxOpenPerThread) open.push_back({ids.trace_id, ids.span_id, ids.parent, ids.flags, ids.has_remote_root});
}

void Traces::close_server(const Call& call, const TraceIds& ids) {
    if (!call.thread) return;
    const auto found = open_.find(key_of(call.pid, call.thread));
    if (found == open_.end()) return;
    std::erase_if(found->second, [&](const Open& open) { return open.span_id == ids.span_id; });
    // The entry of a busy thread stays, so that it is not made anew for each request.
    if (found->second.empty() && open_.size() > 1024) open_.erase(found);
}

void Traces::open_client(const Call& call, TraceIds& ids) {
    ids.span_id = ids_.span_id();
    ids.parent = {};
    ids.links.clear();
    ids.source = spans::ParentSource::None;
    ids.flags = spans::kSampled;
    const auto found = call.thread ? open_.find(key_of(call.pid, call.thread)) : open_.end();
    const bool has_open = found != open_.end() && !found->second.empty();
    if (call.header) {
        // The process's own tracer wrote it, or a proxy passed on what it got: then the exchange that
        // it got it with is the parent.
        ids.trace_id = call.header->trace_id;
        ids.parent = call.header->span_id;
        if (has_open)
            for (const Open& open : found->second)
                if (open.trace_id == ids.trace_id && open.parent == call.header->span_id)
                    ids.parent = open.span_id;
        ids.flags = call.header->flags;
        ids.has_remote_root = true;
        ids.source = spans::ParentSource::Header;
    } else if (has_open && found->second.size() == 1) {
        const Open& parent = found->second.front();
        ids.trace_id = parent.trace_id;
        ids.parent = parent.span_id;
        ids.flags = parent.flags;
        ids.has_remote_root = parent.has_remote_root;
        ids.source = spans::ParentSource::Thread;
    } else {
        ids.trace_id = ids_.trace_id();
        if (has_open)
            for (const Open& open : found->second) {
                if (ids.links.size() == 8) break;
                ids.links.push_back({open.trace_id, open.span_id});
            }
    }
    if (!call.sequence.is_known) return;
    const Key key = key_of(call.sequence);
    const Caller caller{ids.trace_id, ids.span_id, ids.flags, ids.has_remote_root};
    rename(key, caller, call.now_ns);
    callers_.add(key, caller, call.now_ns);
}

bool Traces::join_late(const Call& call, TraceIds& ids) {
    return ids.source != spans::ParentSource::Exact && adopt_caller(call, ids);
}

void Traces::expire(std::uint64_t now_ns) {
    callers_.expire(now_ns);
    early_.expire(now_ns);
    renamed_.expire(now_ns);
}

}  // namespace waggle::protocols
