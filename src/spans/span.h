// SPDX-License-Identifier: Apache-2.0
// Span: one exchange, as every later stage sees it. Protocols fill it with semantic-convention
// attributes; nothing after them knows a protocol. SpanBatch is the unit that moves between threads.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "spans/attributes.h"
#include "spans/resource.h"
#include "spans/trace_context.h"

namespace waggle::spans {

// What family of semantic conventions a span follows: instruments select by it.
enum class SpanClass : std::uint8_t { Http, Rpc, Db, Messaging, Dns, Connection };

enum class SpanKind : std::uint8_t { Internal, Server, Client, Producer, Consumer };

enum class Status : std::uint8_t { Unset, Error };

// How a parent was found (architecture: trace context).
enum class ParentSource : std::uint8_t { None, Header, Exact, Runtime, Thread, Inferred };

// Why an exchange is exported although it is not whole.
enum class Incomplete : std::uint8_t {
    No,
    Closed,      // the connection ended before the response did
    Timeout,     // http_request_timeout
    MaxAge,      // max_exchange_age
    Hole,        // bytes that decide were not captured
    AgentStart,  // attached in the middle
    AgentStop,
};

// Who a span belongs to in the kernel's terms: tgid as the agent's own pid namespace numbers it, and
// the process's start time, so that a reused pid is another process.
struct ProcessKey {
    std::uint32_t pid = 0;
    std::uint64_t start_ns = 0;
    friend bool operator==(const ProcessKey&, const ProcessKey&) = default;
};

// The same call has equal values at both ends (architecture §2): the four-tuple and the TCP sequence
// numbers of the first byte of request and response. All zero where there is no TCP.
struct SequenceIdentity {
    std::array<std::uint8_t, 16> client_address{};  // IPv4 as mapped IPv6
    std::array<std::uint8_t, 16> server_address{};
    std::uint16_t client_port = 0;
    std::uint16_t server_port = 0;
    std::uint32_t request = 0;
    std::uint32_t response = 0;
    std::uint32_t netns = 0;
    bool is_known = false;
};

struct Link {
    TraceId trace_id;
    SpanId span_id;
};

// What of a span is plain data.
struct SpanFields {
    SpanClass span_class = SpanClass::Http;
    SpanKind kind = SpanKind::Internal;
    Status status = Status::Unset;
    Incomplete incomplete = Incomplete::No;
    ParentSource parent_source = ParentSource::None;
    std::uint8_t flags = kSampled;       // W3C trace flags
    bool is_ignored_for_traces = false;  // set by filters and routes
    bool is_ignored_for_metrics = false;
    bool has_unknown_role = false;  // neither end is known to be the server
    bool has_remote_root = false;   // another process began the trace: flags are its decision

    std::string_view protocol;  // "http", the protocol table's name: config key, log field, metric label
    // What `instrumentations` calls it in the configuration, where that is not the protocol's name.
    std::string_view instrumentation;
    std::string_view name;         // final span name
    std::string_view trace_state;  // W3C tracestate as received, else empty

    TraceId trace_id;
    SpanId span_id;
    SpanId parent_span_id;

    std::uint64_t start_ns = 0;       // CLOCK_MONOTONIC
    std::uint64_t first_byte_ns = 0;  // first response byte, 0 when there was none
    std::uint64_t end_ns = 0;
    std::uint32_t queue_us = 0;    // how long the request had waited to be read, 0: unknown
    std::uint64_t unsure_ns = 0;   // protocols: since when its caller is waited for
    std::uint64_t activation = 0;  // execution context's activation, 0 when unknown

    ProcessKey process;
    SequenceIdentity sequence;
    std::uint64_t connection = 0;
};

struct Span : SpanFields {
    ResourcePtr resource;  // set by decorate; null until then
    Attributes attributes;
    std::vector<Link> links;

    std::string_view configured_as() const { return instrumentation.empty() ? protocol : instrumentation; }
    double seconds() const { return end_ns > start_ns ? double(end_ns - start_ns) * 1e-9 : 0.0; }

    // Back to a fresh span, keeping the vectors' memory.
    void clear() {
        static_cast<SpanFields&>(*this) = {};
        resource.reset();
        attributes.clear();
        links.clear();
    }
};

// A batch owns its spans' text. Recycle with clear(): spans and arena keep their memory.
class SpanBatch {
  public:
    Span& add() {
        if (count_ == spans_.size()) spans_.emplace_back();
        Span& span = spans_[count_++];
        span.clear();
        return span;
    }
    // Takes all spans of another batch, which is empty then.
    void take(SpanBatch& from) {
        if (count_ == 0) {
            std::swap(*this, from);
            from.clear();
            return;
        }
        for (Span& span : from) std::swap(add(), span);
        arena_.take(from.arena_);
        from.clear();
    }
    // Takes the last added span back.
    void drop_last() { --count_; }
    // Keeps only the spans for which keep(span) is true; order stays.
    template <typename Keep>
    void retain(Keep keep) {
        size_t kept = 0;
        for (size_t i = 0; i < count_; ++i) {
            if (!keep(spans_[i])) continue;
            if (kept != i) std::swap(spans_[kept], spans_[i]);
            ++kept;
        }
        count_ = kept;
    }

    Span* begin() { return spans_.data(); }
    Span* end() { return spans_.data() + count_; }
    const Span* begin() const { return spans_.data(); }
    const Span* end() const { return spans_.data() + count_; }
    size_t size() const { return count_; }
    bool is_empty() const { return count_ == 0; }
    // Bytes that it holds.
    size_t memory() const { return spans_.capacity() * sizeof(Span) + arena_.bytes(); }
    Arena& arena() { return arena_; }
    std::string_view text(std::string_view value) { return arena_.copy(value); }
    void clear() {
        for (size_t i = 0; i < count_; ++i) spans_[i].resource.reset();
        count_ = 0;
        arena_.clear();
    }

  private:
    std::vector<Span> spans_;
    size_t count_ = 0;
    Arena arena_;
};

}  // namespace waggle::spans
