// SPDX-License-Identifier: Apache-2.0
// Tracker: from events to spans. Keeps the connections of one ring, puts bytes into their streams, asks
// the protocols who speaks, and says what shall be captured further. Pure: a replayed file gives the
// same spans as the kernel did. One thread.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "bpf/abi/events.h"
#include "bpf/abi/rules.h"
#include "protocols/datagrams.h"
#include "protocols/protocol.h"

namespace waggle::protocols {

// A rule to write for a connection.
struct RuleChange {
    std::uint64_t connection;
    wg_connection_rules rules;
};

// Traffic that nobody could read, of one process at one port.
struct UnreadableKey {
    std::uint32_t pid = 0;
    std::uint16_t server_port = 0;  // 0: a UNIX socket's, or the role is not known
    auto operator<=>(const UnreadableKey&) const = default;
};
struct Unreadable {
    std::uint64_t connections = 0;
    std::uint64_t bytes = 0;
};

// A tail that is not needed any more, of this turn.
struct DoneTail {
    wg_tail_key key;
    std::uint32_t turn;
};

// Why plaintext of TLS was dropped.
enum class Unbound : std::uint8_t {
    NoSocket,  // whose it is was not found
    NoRoom,    // … and too much waited to be known
    kCount,
};

struct UnboundCounts {
    std::uint64_t events = 0;
    std::uint64_t bytes = 0;
};

struct TrackerStats {
    std::uint64_t events = 0;
    std::uint64_t malformed = 0;  // records that are none of ours
    std::uint64_t gap_bytes = 0;  // bytes nobody reported
    std::uint64_t evicted = 0;    // connections forgotten at the limit, or when memory is short
    std::uint64_t refused = 0;    // connections not followed since memory was short when they began
    std::uint64_t refused_requests =
        0;  // … the requests of theirs that were told of before the kernel side only counted
    std::uint64_t unknown_connection = 0;  // data without its connection event
    std::array<UnboundCounts, static_cast<std::size_t>(Unbound::kCount)> unbound{};
};

struct TrackerConfig {
    Options options;
    std::size_t max_connections = 65536;
    std::size_t max_held_bytes = 64u << 20;  // of all connections together: what waits to be read
    std::uint64_t seed = 1;
    std::shared_ptr<Calls> calls;  // what it shares with the trackers of other rings; null: nothing
    // Does a thread of this process work on one request at a time? (Not in Go.)
    // Empty: not known yet, ask again.
    std::function<std::optional<bool>(std::uint32_t pid)> threads_are_contexts;
};

class Tracker {
  public:
    explicit Tracker(TrackerConfig config);
    ~Tracker();

    // One record, as it came; spans that it completes are added to the batch.
    void on_event(std::span<const std::byte> record, spans::SpanBatch& batch);
    // What went by beyond the rules, as the tail map has it.
    void on_tail(const wg_tail_key& key, const wg_tail& tail, spans::SpanBatch& batch);
    // Once per tick, after the events.
    void on_tick(std::uint64_t now_ns, spans::SpanBatch& batch);
    // Gives out what waits for a caller's event at once.
    void release(spans::SpanBatch& batch) { waiting_.release_all(traces_, batch); }
    // While memory is short: new connections are not followed, and those that rest longest are forgotten.
    void set_shedding(bool is_shedding);
    // Everything still open leaves as incomplete.
    void finish(std::uint64_t now_ns, spans::SpanBatch& batch);

    // Rules to write since the last call, connections whose rules are to be removed then, and tails to delete; cleared
    // by the caller.
    std::vector<RuleChange>& rule_changes() { return rule_changes_; }
    std::vector<std::uint64_t>& gone_rules() { return gone_rules_; }
    std::vector<DoneTail>& done_tails() { return done_tails_; }
    // Processes that speak TLS, and nothing of it is read; cleared by the caller.
    std::vector<std::uint32_t>& tls_seen() { return tls_seen_; }
    // True while some exchange waits for bytes that are not copied: read the tail map.
    bool wants_tails() const;

    const TrackerStats& stats() const { return stats_; }
    // Counts by protocol, in the order of all().
    const std::vector<Counts>& counts() const { return counts_; }
    const std::map<UnreadableKey, Unreadable>& unreadable() const { return unreadable_; }
    std::size_t connections() const { return connections_.size(); }
    // By all of them together, as last weighed.
    std::size_t held_bytes() const { return held_bytes_; }
    std::size_t open_exchanges() const;
    // By protocol, in the order of all(): requests that were counted as seen and not yet as exported.
    std::vector<std::uint64_t> unreported() const;
    // Every span that waits for its caller's event.
    template <typename Visit>
    void visit_waiting(Visit visit) const {
        waiting_.visit(visit);
    }
    // Every exchange that servers have open, with its process.
    void visit_open(
        const std::function<void(const spans::ProcessKey&, std::span<const spans::Attribute>)>& visit) const;
    std::uint64_t joined() const { return traces_.joined(); }

  private:
    struct Connection;
    // What a thread did last, of a kind that says which socket a plaintext goes through.
    struct ThreadTls {
        struct Receive {
            std::uint64_t socket;
            std::uint64_t ns;
        };
        struct Write {
            std::uint64_t plain;
            std::uint64_t ns;
            std::vector<std::uint64_t> sizes;  // of its calls
            std::uint64_t call_ns = 0;         // when the last of them began: one may be told in pieces
        };
        std::vector<Receive> received;  // from sockets whose plaintext is not known
        std::vector<Write> written;     // by plaintext connections whose socket is not known
    };

    void on_connection(const wg_connection_event& event);
    void learn_contexts(Connection& connection);
    void set_peer(Connection& connection, bool is_peer);
    void on_data(const wg_data_event& event, std::string_view bytes, spans::SpanBatch& batch);
    void take(Connection& connection, const wg_data_event& event, std::string_view bytes, spans::SpanBatch& batch);
    // Events that came before their turn: tracker_order.cc.
    bool is_blocked(const Connection& connection, const wg_data_event& event) const;
    bool must_wait(Connection& connection, const wg_data_event& event, spans::SpanBatch& batch);
    void hold(Connection& connection, const wg_data_event& event, std::string_view bytes, spans::SpanBatch& batch);
    void release(Connection& connection, spans::SpanBatch& batch);
    void give_out(Connection& connection, spans::SpanBatch& batch);
    void take_held(Connection& connection, std::size_t index, spans::SpanBatch& batch);
    void give_out_late(std::uint64_t now_ns, spans::SpanBatch& batch);
    void on_close(const wg_close_event& event, spans::SpanBatch& batch);
    // Plaintext of TLS: tracker_tls.cc.
    void on_plain(const wg_plain_event& event, spans::SpanBatch& batch);
    void bind(Connection& plain, std::uint64_t beneath, spans::SpanBatch& batch);
    void bind_proven(Connection& plain, Direction direction, std::uint64_t socket, spans::SpanBatch& batch);
    void prove_send(Connection& plain, const wg_data_event& event, spans::SpanBatch& batch);
    bool is_believed(const Connection& plain) const;
    void take_unbound(Connection& plain, const wg_data_event& event, std::string_view bytes, spans::SpanBatch& batch);
    void follow_records(Connection& socket, const wg_data_event& event, spans::SpanBatch& batch);
    void note_tls(Connection& socket);
    void go_on_behind(Connection& socket, std::uint64_t now_ns, spans::SpanBatch& batch);
    void look_into_tunnel(Connection& socket, Direction direction);
    ThreadTls& thread_of(const wg_data_event& event);
    static bool is_cut_short(const Connection& socket);
    void count_encrypted(Connection& socket, spans::SpanBatch& batch);
    spans::Span& report_tls(Connection& socket, std::uint64_t start_ns, std::uint64_t end_ns, spans::SpanBatch& batch);
    void report_tls_end(Connection& socket, spans::SpanBatch& batch);
    void drop_unbound(Connection& plain, Unbound cause);
    void count_unbound(const wg_data_event& event, Unbound cause);
    void sweep_tls(Connection& connection, std::uint64_t now_ns, spans::SpanBatch& batch);
    bool is_call_under_way(std::uint64_t id, std::uint64_t now_ns);
    void end_both(const wg_data_event& event);
    void end_unix(Connection& connection, std::uint64_t now_ns);
    void end(Connection& connection, std::uint64_t now_ns);
    bool is_tail_due(std::uint64_t id, std::uint64_t now_ns);
    void end_streams(std::uint64_t id, std::uint64_t now_ns, spans::SpanBatch& batch);
    Unreadable* unreadable_of(const Connection& connection);
    void handle(Connection& connection, Direction direction, std::uint64_t now_ns, spans::SpanBatch& batch);
    bool hand_over(Connection& connection, std::uint64_t now_ns, spans::SpanBatch& batch);
    void identify(Connection& connection, Direction direction);
    static bool waits_for_request(Connection& connection, Direction direction);
    bool try_protocols(Connection& connection, Direction direction);
    void give_up(Connection& connection, Direction direction);
    void set_rules(Connection& connection, const wg_connection_rules& rules);
    void mute(Connection& connection, std::uint64_t retry_ns);
    void capture_whole(Connection& connection);
    void end_session(Connection& connection, spans::Incomplete reason, std::uint64_t now_ns, spans::SpanBatch& batch);
    void forget(std::uint64_t id, spans::Incomplete reason, std::uint64_t now_ns, spans::SpanBatch& batch);
    void sweep(std::uint64_t now_ns, spans::SpanBatch& batch);
    Context context(const Connection& connection, std::uint64_t now_ns, spans::SpanBatch& batch);
    Connection* find(std::uint64_t id);
    // Messages of UDP: tracker_datagrams.cc.
    void on_datagram(const wg_datagram_event& event, std::string_view bytes, spans::SpanBatch& batch);
    void fill_datagram_info(const wg_datagram_event& event);
    Context datagram_context(std::size_t index, std::uint64_t now_ns, spans::SpanBatch& batch);
    void tick_datagrams(std::uint64_t now_ns, spans::SpanBatch& batch);
    void finish_datagrams(spans::Incomplete reason, std::uint64_t now_ns, spans::SpanBatch& batch);
    // What connections hold: tracker_memory.cc.
    void weigh(Connection& connection, spans::SpanBatch& batch);
    void drop_heaviest(spans::SpanBatch& batch);
    void refuse(std::uint64_t id, std::optional<Direction> requests);
    void outlive(const Connection& connection, std::uint64_t now_ns);
    void drop_ended(std::uint64_t now_ns);
    void forget_ended(std::uint64_t now_ns, spans::SpanBatch& batch);
    void stop_following(Connection& connection);
    void pass_over(const wg_data_event& event, std::string_view bytes);
    void choose_oldest(std::size_t count, std::vector<std::uint64_t>& ids) const;

    TrackerConfig config_;
    Traces traces_;
    SharedNames names_;
    WaitingSpans waiting_;
    std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
    std::vector<Connection*> waiting_list_;  // with an exchange open
    std::vector<Counts> counts_;
    TrackerStats stats_;
    std::map<UnreadableKey, Unreadable> unreadable_;
    std::vector<RuleChange> rule_changes_;
    std::vector<std::uint64_t> gone_rules_;
    std::vector<DoneTail> done_tails_;
    std::vector<std::uint64_t> holding_;       // connections with events that wait
    std::vector<std::uint64_t> ended_;         // since ended_ns_
    std::vector<std::uint64_t> ended_before_;  // … and before: to forget at a tick a little later
    std::uint64_t ended_ns_ = 0;
    std::unordered_map<std::uint64_t, ThreadTls> threads_;
    std::unordered_map<std::uint32_t, std::uint64_t>
        plain_pids_;  // of which some plaintext is seen, and when they began
    std::unordered_map<std::uint32_t, std::uint64_t> proven_pids_;  // whose library was found by its code, and is one
    std::vector<std::uint32_t> tls_seen_;
    std::size_t held_bytes_ = 0;  // the connections' weights
    bool is_shedding_ = false;
    // Connections that are only counted since then, and which of their turns are requests; none: nobody can tell.
    std::unordered_map<std::uint64_t, std::optional<Direction>> refused_;
    std::deque<std::pair<std::uint64_t, std::uint64_t>> refused_ended_;  // of them, and until when they are kept
    std::uint64_t last_shed_ns_ = 0;
    std::size_t unbound_bytes_ = 0;                            // of all connections
    std::vector<std::unique_ptr<DatagramSession>> datagrams_;  // as datagram_protocols()
    ConnectionInfo datagram_info_;
    std::uint64_t last_sweep_ns_ = 0;
    std::uint64_t now_ns_ = 0;
    Connection* last_ = nullptr;  // of the event before: most come in pairs
};

}  // namespace waggle::protocols
