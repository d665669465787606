// SPDX-License-Identifier: Apache-2.0
// Traces: gives every exchange its ids when it opens. In this order: the other end of the
// same call on this host (equal sequence identity), the traceparent in its head, the one exchange that
// its thread is serving; else a new trace. Several candidates: a link to each, no parent. Pure and bounded.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

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
    std::vector<spans::Link> links;
};

class Traces {
  public:
    explicit Traces(std::uint64_t seed);

    struct Call {
        std::optional<spans::TraceContext> header;
        spans::SequenceIdentity sequence;    // request only; is_known false where there is none
        std::uint32_t pid = 0;
        std::uint64_t thread = 0;            // 0: the thread says nothing about the request
        std::uint64_t now_ns = 0;
    };

    // A watched process has begun to serve a request; it is then open on its thread until closed.
    void open_server(const Call& call, TraceIds& ids);
    void close_server(const Call& call, const TraceIds& ids);
    // A watched process has sent a request.
    void open_client(const Call& call, TraceIds& ids);

    // A server exchange that ends without a parent asks again: its caller's event may have come late.
    bool join_late(const Call& call, TraceIds& ids);

    // Before an exchange is exported: its trace may have got another id since, when the caller of a server
    // exchange that began it was reported late.
    void settle(TraceIds& ids) const;

    // Forgets calls older than the hold time.
    void expire(std::uint64_t now_ns);
    std::uint64_t joined() const { return joined_; }

  private:
    struct Key {
        std::uint64_t a = 0;
        std::uint64_t b = 0;
        friend bool operator==(const Key&, const Key&) = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const { return key.a ^ (key.b * 0x9e3779b97f4a7c15u); }
    };
    struct Caller {
        spans::TraceId trace_id;
        spans::SpanId span_id;
        std::uint8_t flags;
        bool has_remote_root;
    };
    // A server exchange that began a trace, whose caller may be reported yet.
    struct Early {
        spans::TraceId trace_id;
        Key thread;
    };
    // Values by key, for a time; the oldest go first. Bounded.
    template <typename Value>
    class Held {
      public:
        explicit Held(std::uint64_t hold_ns) : hold_ns_(hold_ns) {}
        const Value* find(const Key& key) const;
        void add(const Key& key, const Value& value, std::uint64_t now_ns);
        void erase(const Key& key) { values_.erase(key); }
        void expire(std::uint64_t now_ns);

      private:
        std::uint64_t hold_ns_;
        std::unordered_map<Key, std::pair<Value, std::uint64_t>, KeyHash> values_;
        std::vector<std::pair<std::uint64_t, Key>> order_;  // when each came, oldest first
        std::size_t head_ = 0;
    };
    struct Open {
        spans::TraceId trace_id;
        spans::SpanId span_id;
        spans::SpanId parent;
        std::uint8_t flags;
        bool has_remote_root;
    };

    static Key key_of(const spans::SequenceIdentity& sequence);
    static Key key_of(std::uint32_t pid, std::uint64_t thread);
    static Key key_of(const spans::TraceId& trace);
    void rename(const Key& call, const Caller& caller, std::uint64_t now_ns);
    bool adopt_caller(const Call& call, TraceIds& ids);

    spans::IdSource ids_;
    Held<Caller> callers_;
    Held<Early> early_;
    Held<Caller> renamed_;  // by the trace id that is no more
    std::unordered_map<Key, std::vector<Open>, KeyHash> open_;
    std::uint64_t joined_ = 0;
};

}  // namespace waggle::protocols
