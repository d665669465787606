// SPDX-License-Identifier: Apache-2.0
// Calls: where both ends of a call on this host find each other, whichever is reported first. Traces asks
// it. A tracker has its own; trackers of several rings share one (agent/shared_calls.h). Bounded.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "protocols/held.h"
#include "spans/trace_context.h"

namespace waggle::protocols {

struct CallKey {
    std::uint64_t a = 0;  // both addresses, mixed
    std::uint64_t b = 0;  // both ports, and where the request stands in the low 32 bits
    CallKey connection() const { return {a, b >> 32 << 32}; }
    friend bool operator==(const CallKey&, const CallKey&) = default;
};

struct CallKeyHash {
    std::size_t operator()(const CallKey& key) const {
        const std::uint64_t mixed = (key.a ^ key.b) * 0x9e3779b97f4a7c15u;
        return mixed ^ mixed >> 32;
    }
};

std::uint64_t mix(std::uint64_t value);

// The client's end of a call.
struct Caller {
    spans::TraceId trace_id;
    spans::SpanId span_id;
    std::uint8_t flags = spans::kSampled;
    bool has_remote_root = false;
    std::uint64_t unsure_ns = 0;  // as in TraceIds
};

// The trace that a server's end has, unless its caller gives it another one.
struct ServerTrace {
    spans::TraceId trace_id;
    bool is_own = false;  // begun by it; else a header named it
};

class Calls {
  public:
    virtual ~Calls() = default;
    // A server has begun to serve the call. Takes its caller, when it is known and in the same trace; when
    // it is not, a trace of the server's own is noted for it.
    virtual std::optional<Caller> serve(const CallKey& call, const ServerTrace& trace, std::uint64_t now_ns) = 0;
    // The same, later.
    virtual std::optional<Caller> take(const CallKey& call, const ServerTrace& trace) = 0;
    // A client has made the call: the trace that its server has begun meanwhile.
    virtual std::optional<spans::TraceId> add(const CallKey& call, const Caller& caller, std::uint64_t now_ns) = 0;
    // A trace that is no more: what is in it belongs to the caller's.
    virtual void rename(const spans::TraceId& trace, const Caller& caller, std::uint64_t now_ns) = 0;
    virtual std::optional<Caller> renamed(const spans::TraceId& trace) = 0;
    // Forgets what is older than the hold times.
    virtual void expire(std::uint64_t now_ns) = 0;

    // A watched client's connection, and its end. A server of whose caller nothing came yet waits for it there.
    virtual void connect(const CallKey& connection) = 0;
    virtual void disconnect(const CallKey& connection) = 0;

    // The number of one more reader. Until it has drained something, nobody waits for it.
    virtual std::size_t enter() = 0;
    // A reader has drained its ring up to this time. Up to when all have, and no server waits for a caller that will be
    // reported: a thread may be put aside between the send of its request and the report.
    virtual std::uint64_t drained(std::size_t reader, std::uint64_t until_ns) = 0;
};

// Connections of watched clients.
class Peers {
  public:
    void add(const CallKey& connection) { ++count_[connection]; }
    void remove(const CallKey& connection) {
        const auto found = count_.find(connection);
        if (found != count_.end() && --found->second == 0) count_.erase(found);
    }
    bool has(const CallKey& connection) const { return count_.contains(connection); }

  private:
    std::unordered_map<CallKey, std::uint32_t, CallKeyHash> count_;  // containers may have equal addresses
};

// The plain one, for one thread.
class HeldCalls final : public Calls {
  public:
    static constexpr std::size_t kMaxHeld = 131072;
    explicit HeldCalls(std::size_t max_held = kMaxHeld);

    std::optional<Caller> serve(const CallKey& call, const ServerTrace& trace, std::uint64_t now_ns) override;
    std::optional<Caller> take(const CallKey& call, const ServerTrace& trace) override;
    std::optional<spans::TraceId> add(const CallKey& call, const Caller& caller, std::uint64_t now_ns) override;
    void rename(const spans::TraceId& trace, const Caller& caller, std::uint64_t now_ns) override;
    std::optional<Caller> renamed(const spans::TraceId& trace) override;
    void expire(std::uint64_t now_ns) override;
    void connect(const CallKey& connection) override { peers_.add(connection); }
    void disconnect(const CallKey& connection) override { peers_.remove(connection); }
    std::size_t enter() override;
    std::uint64_t drained(std::size_t reader, std::uint64_t until_ns) override;

    // The time of the oldest call below until_ns whose caller is one of the peers and has not come; else until_ns.
    std::uint64_t first_awaited(std::uint64_t until_ns, const std::function<bool(const CallKey&)>& is_peer);

  private:
    template <typename Value>
    using ByCall = Held<CallKey, Value, CallKeyHash>;

    ByCall<Caller> callers_;
    ByCall<ServerTrace> early_;  // of servers whose caller may be reported yet
    std::uint64_t awaited_ = 0;  // cursor: of those before it none is waited for
    Peers peers_;
    ByCall<Caller> renamed_;
    std::vector<std::uint64_t> drained_;  // by reader
};

}  // namespace waggle::protocols
