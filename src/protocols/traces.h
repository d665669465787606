// SPDX-License-Identifier: Apache-2.0
// Traces: gives every exchange its ids when it opens. In this order: the other end of the
// same call on this host (equal sequence identity), the traceparent in its head, the one exchange that
// its thread is serving; else a new trace. Several candidates: a link to each, no parent. Pure and bounded.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "protocols/calls.h"
#include "spans/span.h"

namespace waggle::protocols {

// Ids of one exchange while it is open.
struct TraceIds {
    spans::TraceId trace_id;
    spans::SpanId span_id;
    spans::SpanId parent;
    std::uint8_t flags = spans::kSampled;
    bool has_remote_root = false;  // the trace came in by a header: flags are its decision
    spans::ParentSource source = spans::ParentSource::None;
    // When the server exchange that began its trace, or itself, opened without a caller of this host.
    // 0: no caller can change its ids any more.
    std::uint64_t unsure_ns = 0;
    std::vector<spans::Link> links;
};

class Traces {
  public:
    // Without calls that others share it has its own.
    explicit Traces(std::uint64_t seed, std::shared_ptr<Calls> calls = nullptr);

    struct Call {
        std::optional<spans::TraceContext> header;
        spans::SequenceIdentity sequence;  // request only; is_known false where there is none
        std::uint32_t pid = 0;
        std::uint64_t thread = 0;  // 0: the thread says nothing about the request
        std::uint64_t now_ns = 0;
    };

    // A watched process has begun to serve a request; it is then open on its thread until closed.
    void open_server(const Call& call, TraceIds& ids);
    void close_server(const Call& call, const TraceIds& ids);
    // A watched process has sent a request.
    void open_client(const Call& call, TraceIds& ids);

    // Before an exchange is exported: the caller of this server exchange may have been reported since, or
    // the caller of the one that began its trace.
    void settle(const spans::SequenceIdentity& sequence, bool is_server, TraceIds& ids);
    // True while a caller's event may be under way: the kernel reports a send when it has returned, so it can
    // be drained ticks after its server's.
    bool must_wait(std::uint64_t unsure_ns) const { return unsure_ns && unsure_ns >= drained_ns_; }

    void on_tick(std::uint64_t now_ns);
    // A watched client's connection, by a sequence identity without a request, and its end.
    void connect(const spans::SequenceIdentity& connection);
    void disconnect(const spans::SequenceIdentity& connection);
    // Forgets calls older than the hold time.
    void expire(std::uint64_t now_ns) { calls_->expire(now_ns); }
    std::uint64_t joined() const { return joined_; }

  private:
    struct Open {
        spans::TraceId trace_id;
        spans::SpanId span_id;
        spans::SpanId parent;
        std::uint8_t flags;
        bool has_remote_root;
        std::uint64_t unsure_ns;
    };

    void join(const Caller& caller, TraceIds& ids);
    void follow_renames(TraceIds& ids);

    spans::IdSource ids_;
    std::shared_ptr<Calls> calls_;
    std::unordered_map<CallKey, std::vector<Open>, CallKeyHash> open_;  // by process and thread
    std::size_t reader_;
    std::uint64_t last_tick_ns_ = 0;
    std::uint64_t drained_ns_ = 0;
    std::uint64_t joined_ = 0;
};

}  // namespace waggle::protocols
