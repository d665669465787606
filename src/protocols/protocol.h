// SPDX-License-Identifier: Apache-2.0
// Protocol: what one protocol folder gives to the rest (its line in all.cc), and Session, what it keeps
// for one connection. Pure: bytes and times come in, spans go out.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/abi/events.h"
#include "bpf/abi/rules.h"
#include "protocols/shared_names.h"
#include "protocols/tls_hello.h"
#include "protocols/waiting_spans.h"
#include "spans/span.h"
#include "streams/stream.h"

namespace waggle::protocols {

enum class Direction : std::uint8_t { Send = WG_SEND, Receive = WG_RECEIVE };
enum class Role : std::uint8_t { Unknown, Client, Server };
enum class Side : std::uint8_t { Request, Response };

constexpr Direction opposite(Direction direction) {
    return direction == Direction::Send ? Direction::Receive : Direction::Send;
}

// Why a parser stopped: more bytes may help, or nothing will.
enum class Stop : std::uint8_t { NeedMore, Invalid };

enum class Sniff : std::uint8_t { No, NeedMore, Yes };

// Losses and oddities, by cause; the tracker sums them up per protocol.
enum class Cause : std::uint8_t {
    ParseInvalid,     // bytes where a message should start are none
    Hole,             // a message's head was not captured
    Unmatched,        // a response without its request
    RuleCut,          // a head went on beyond what was captured
    QueueFull,        // too many exchanges open on one connection
    UnknownProtocol,  // a turn nobody recognised
    Encrypted,        // a connection went over to TLS
    Compressed,       // … or to compression that is not read
    MemoryLimit,      // a connection that held much when memory was short
    kCount,
};

struct Counts {
    std::array<std::uint64_t, static_cast<std::size_t>(Cause::kCount)> by_cause{};
    std::uint64_t seen = 0;      // requests whose head was parsed
    std::uint64_t exported = 0;  // spans given out
    std::uint64_t joined = 0;    // exchanges that found their other end on this host

    void add(Cause cause, std::uint64_t amount = 1) { by_cause[static_cast<std::size_t>(cause)] += amount; }
    std::uint64_t of(Cause cause) const { return by_cause[static_cast<std::size_t>(cause)]; }
};

// What is known of a connection; addresses as in wg_tuple (IPv4-mapped IPv6, network order).
struct ConnectionInfo {
    std::uint64_t id = 0;
    Role role = Role::Unknown;
    wg_socket_kind kind = WG_TCP;
    std::uint8_t from_start = 0;  // bit per direction
    bool is_encrypted = false;    // its bytes are the plaintext of a TLS connection
    wg_tuple tuple{};
    std::string unix_path;
    spans::ProcessKey process;            // of the last event
    bool threads_are_contexts = false;    // one thread works on one request at a time
    std::shared_ptr<const TlsFacts> tls;  // of its handshake, null where none is known
    // Text of the addresses, made once.
    std::string local_address;
    std::string remote_address;
};

struct Options {
    std::uint64_t http_request_timeout_ns = 0;  // 0: never
    std::uint64_t max_exchange_age_ns = 300'000'000'000;
    std::vector<std::string> sensitive_query_params;  // lower case
    bool wants_traces = true;
    bool wants_details = true;      // false: only what metrics show by default is looked at
    bool sanitizes_queries = true;  // literals in db.query.text become ?
};

// What a session may use and change besides its streams.
struct Context {
    const Options& options;
    spans::SpanBatch& batch;
    WaitingSpans& waiting;  // for those whose caller on this host may be reported yet
    Counts& counts;
    Traces& traces;
    SharedNames& names;
    std::uint64_t now_ns = 0;
};

using OpenVisitor = std::function<void(std::span<const spans::Attribute>)>;

struct Handover;

// What a session that ends where TLS begins has learnt before, for the one that goes on in it.
struct Prelude {
    virtual ~Prelude() = default;
};

// What stands on a connection behind the end of its session.
enum class Next : std::uint8_t {
    Nothing,   // of interest: capture can be muted
    Tls,       // the streams' heads are where it begins
    MaybeTls,  // what a tunnel carries
};

class Session {
  public:
    virtual ~Session() = default;
    // The stream of this direction has grown, or was closed.
    virtual void on_bytes(Direction direction, Context& context) = 0;
    // Every tick for sessions with something open: time limits, and bytes that went by uncopied.
    virtual void on_tick(Context& context) = 0;
    // The connection is gone, or the agent ends (reason): nothing more will come.
    virtual void on_close(spans::Incomplete reason, Context& context) = 0;
    virtual std::size_t open_exchanges() const = 0;
    // Of those, the ones that were counted as seen and not yet as exported.
    virtual std::size_t unreported() const { return open_exchanges(); }
    // Bytes that it holds beside its streams: what it keeps of requests that are open.
    virtual std::size_t memory() const { return 0; }
    // The connection rests: what is kept for speed alone can go.
    virtual void shrink() {}
    // What a gauge of open exchanges says of each one.
    virtual void visit_open(const OpenVisitor& visit) const = 0;
    // Something ends with bytes that may go by uncopied.
    virtual bool wants_tails() const = 0;
    // True when the rest of the connection is none of its own.
    virtual bool is_over() const { return false; }
    // … and what that is.
    virtual Next next() const { return Next::Nothing; }
    // Once it is over: another protocol goes on where the streams stand. Taken once.
    virtual std::unique_ptr<Handover> take_handover();
    // Once next() is Tls. Null: the one in it knows all by itself. Taken once.
    virtual std::unique_ptr<Prelude> take_prelude() { return nullptr; }
    // Requests were sent before earlier ones were answered: every call's front is worth copying.
    virtual bool is_pipelined() const { return false; }
    // The thread of the event that is handled next.
    virtual void set_thread(std::uint64_t) {}
};

// The two directions of the connection a session reads.
struct Streams {
    std::array<streams::Stream, 2> by_direction;
    streams::Stream& of(Direction direction) { return by_direction[static_cast<std::size_t>(direction)]; }
};

struct Protocol {
    std::string_view name;  // config key, log field, metric label
    // Do these bytes start a message of this side?
    Sniff (*sniff)(std::string_view bytes, Side side);
    std::unique_ptr<Session> (*open)(const ConnectionInfo& info, Streams& streams, Direction requests);
    // The name by which HTTP/1.1 upgrades to it (RFC 9110 §7.8), and how it goes on then.
    std::string_view upgrade_token;
    std::unique_ptr<Session> (*take_over)(const ConnectionInfo& info, Streams& streams, Direction requests,
                                          Handover& handover, Context& context) = nullptr;
    // A session over TLS, seen from its first byte, after one of its own in the clear.
    std::unique_ptr<Session> (*go_on)(const ConnectionInfo& info, Streams& streams, Direction requests,
                                      Prelude& prelude) = nullptr;
    // Where every message has a header of fixed size with its length: how the kernel side finds each of them in a call,
    // so that long bodies are not copied and what stands behind them is seen. A rule names it by the protocol's place
    // in all().
    std::optional<wg_framing> framing = {};
};

// A message's type stands for its low five bits there: letters of either case are one.
inline constexpr std::uint32_t kAllTypes = 0xffffffff;
constexpr std::uint32_t type_bit(unsigned char type) { return 1u << (type & 31); }

// The table: one line a protocol, at most WG_FRAMINGS.
std::span<const Protocol* const> all();

// The index in all() under which a span of that protocol was counted as a request; all().size() when there is none.
std::size_t counted_as(std::string_view span_protocol);

// The protocol that an upgrade leads to, null when it is none of ours.
const Protocol* upgraded_to(std::string_view token);

}  // namespace waggle::protocols
