// SPDX-License-Identifier: Apache-2.0
#include "protocols/traces.h"

#include <algorithm>
#include <cstring>

namespace waggle::protocols {
namespace {

constexpr std::uint64_t kMaxWaitNs = 1'000'000'000;
constexpr std::size_t kMaxOpenPerThread = 64;
constexpr std::size_t kMaxThreads = 65536;
constexpr int kMaxRenames = 16;  // a chain of services, each of whose callers was reported late

CallKey key_of(const spans::SequenceIdentity& sequence) {
    std::uint64_t words[4];
    std::memcpy(words, sequence.client_address.data(), 16);
    std::memcpy(words + 2, sequence.server_address.data(), 16);
    const std::uint64_t ports =
        std::uint64_t{sequence.client_port} << 48 | std::uint64_t{sequence.server_port} << 32 | sequence.request;
    return {mix(words[0] + mix(words[1] + mix(words[2] + mix(words[3])))), ports};
}

CallKey key_of(std::uint32_t pid, std::uint64_t thread) { return {pid, thread}; }

}  // namespace

Traces::Traces(std::uint64_t seed, std::shared_ptr<Calls> calls)
    : ids_(seed), calls_(calls ? std::move(calls) : std::make_shared<HeldCalls>()), reader_(calls_->enter()) {}

void Traces::connect(const spans::SequenceIdentity& connection) { calls_->connect(key_of(connection).connection()); }
void Traces::disconnect(const spans::SequenceIdentity& connection) {
    calls_->disconnect(key_of(connection).connection());
}

void Traces::on_tick(std::uint64_t now_ns) {
    // What was in the ring at the tick before has been drained by now.
    drained_ns_ = calls_->drained(reader_, last_tick_ns_);
    last_tick_ns_ = now_ns;
    // A reader that hangs holds nobody up.
    drained_ns_ = std::max(drained_ns_, now_ns - std::min(now_ns, kMaxWaitNs));
}

void Traces::join(const Caller& caller, TraceIds& ids) {
    ids.trace_id = caller.trace_id;
    ids.parent = caller.span_id;
    ids.flags = caller.flags;
    ids.has_remote_root = caller.has_remote_root;
    ids.unsure_ns = caller.unsure_ns;
    ids.source = spans::ParentSource::Exact;
    ++joined_;
}

// The caller of the exchange that began the trace was reported later: the trace is that caller's.
void Traces::follow_renames(TraceIds& ids) {
    for (int i = 0; i < kMaxRenames && ids.unsure_ns; ++i) {
        const auto now = calls_->renamed(ids.trace_id);
        if (!now) return;
        ids.trace_id = now->trace_id;
        ids.flags = now->flags;
        ids.has_remote_root = now->has_remote_root;
        ids.unsure_ns = now->unsure_ns;
    }
}

void Traces::settle(const spans::SequenceIdentity& sequence, bool is_server, TraceIds& ids) {
    if (!ids.unsure_ns) return;
    if (is_server && ids.source != spans::ParentSource::Exact) {
        const auto caller = calls_->take(key_of(sequence), {ids.trace_id, ids.source == spans::ParentSource::None});
        // Nobody but its caller renames its trace: it may have come since, and is the parent, too.
        if (!caller) return;
        join(*caller, ids);
    }
    follow_renames(ids);
}

void Traces::open_server(const Call& call, TraceIds& ids) {
    ids.span_id = ids_.span_id();
    ids.links.clear();
    if (call.header) {
        ids.trace_id = call.header->trace_id;
        ids.parent = call.header->span_id;
        ids.flags = call.header->flags;
        ids.has_remote_root = true;
        ids.source = spans::ParentSource::Header;
    } else {
        // Made even where it is not needed: other ids must not depend on which joins succeed.
        ids.trace_id = ids_.trace_id();
        ids.parent = {};
        ids.flags = spans::kSampled;
        ids.has_remote_root = false;
        ids.source = spans::ParentSource::None;
    }
    ids.unsure_ns = 0;
    if (call.sequence.is_known) {
        // An event may come late: its caller's may, too.
        ids.unsure_ns = std::max(call.now_ns, drained_ns_);
        if (const auto caller = calls_->serve(key_of(call.sequence), {ids.trace_id, !call.header}, call.now_ns))
            join(*caller, ids);
    }
    if (!call.thread || open_.size() >= kMaxThreads) return;
    std::vector<Open>& open = open_[key_of(call.pid, call.thread)];
    // A trace that a header named stays what it is.
    const bool is_sure = ids.source == spans::ParentSource::Header;
    if (open.size() < kMaxOpenPerThread)
        open.push_back(
            {ids.trace_id, ids.span_id, ids.parent, ids.flags, ids.has_remote_root, is_sure ? 0 : ids.unsure_ns});
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
    ids.has_remote_root = false;
    ids.unsure_ns = 0;
    const auto found = call.thread ? open_.find(key_of(call.pid, call.thread)) : open_.end();
    const bool has_open = found != open_.end() && !found->second.empty();
    if (call.header) {
        // The process's own tracer wrote it, or a proxy passed on what it got: then the exchange that
        // it got it with is the parent.
        ids.trace_id = call.header->trace_id;
        ids.parent = call.header->span_id;
        if (has_open)
            for (const Open& open : found->second)
                if (open.trace_id == ids.trace_id && open.parent == call.header->span_id) ids.parent = open.span_id;
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
        ids.unsure_ns = parent.unsure_ns;
        follow_renames(ids);
    } else {
        ids.trace_id = ids_.trace_id();
        if (has_open)
            for (const Open& open : found->second) {
                if (ids.links.size() == 8) break;
                ids.links.push_back({open.trace_id, open.span_id});
            }
    }
    if (!call.sequence.is_known) return;
    const Caller caller{ids.trace_id, ids.span_id, ids.flags, ids.has_remote_root, ids.unsure_ns};
    if (const auto early = calls_->add(key_of(call.sequence), caller, call.now_ns))
        calls_->rename(*early, caller, call.now_ns);
}

}  // namespace waggle::protocols
