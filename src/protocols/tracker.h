// SPDX-License-Identifier: Apache-2.0
// Tracker: from events to spans. Keeps the connections of one ring, puts bytes into their streams, asks
// the protocols who speaks, and says what shall be captured further. Pure: a replayed file gives the
// same spans as the kernel did. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "bpf/abi/events.h"
#include "bpf/abi/rules.h"
#include "protocols/protocol.h"

namespace waggle::protocols {

// A rule to write for a connection.
struct RuleChange {
    std::uint64_t connection;
    wg_connection_rules rules;
};

// Traffic of one process that nobody could read.
struct Unreadable {
    std::uint64_t connections = 0;
    std::uint64_t bytes = 0;
};

// A tail that is not needed any more, of this turn.
struct DoneTail {
    wg_tail_key key;
    std::uint32_t turn;
};

struct TrackerStats {
    std::uint64_t events = 0;
    std::uint64_t malformed = 0;      // records that are none of ours
    std::uint64_t gap_bytes = 0;      // bytes nobody reported
    std::uint64_t evicted = 0;        // connections forgotten at the limit
    std::uint64_t unknown_connection = 0;  // data without its connection event
};

struct TrackerConfig {
    Options options;
    std::size_t max_connections = 65536;
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
    // Everything still open leaves as incomplete.
    void finish(std::uint64_t now_ns, spans::SpanBatch& batch);

    // Rules to write since the last call, and tails to delete; cleared by the caller.
    std::vector<RuleChange>& rule_changes() { return rule_changes_; }
    std::vector<DoneTail>& done_tails() { return done_tails_; }
    // True while some exchange waits for bytes that are not copied: read the tail map.
    bool wants_tails() const;

    const TrackerStats& stats() const { return stats_; }
    // Counts by protocol, in the order of all().
    const std::vector<Counts>& counts() const { return counts_; }
    const std::unordered_map<std::uint32_t, Unreadable>& unreadable() const { return unreadable_; }
    std::size_t connections() const { return connections_.size(); }
    std::size_t open_exchanges() const;
    // Every exchange that servers have open, with its process.
    void visit_open(const std::function<void(const spans::ProcessKey&, std::span<const spans::Attribute>)>& visit) const;
    std::uint64_t joined() const { return traces_.joined(); }

  private:
    struct Connection;

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
    void handle(Connection& connection, Direction direction, std::uint64_t now_ns, spans::SpanBatch& batch);
    bool hand_over(Connection& connection, std::uint64_t now_ns, spans::SpanBatch& batch);
    void identify(Connection& connection, Direction direction);
    static bool waits_for_request(Connection& connection, Direction direction);
    bool try_protocols(Connection& connection, Direction direction);
    void give_up(Connection& connection, Direction direction);
    void mute(Connection& connection, std::uint64_t retry_ns);
    void capture_whole(Connection& connection);
    void forget(std::uint64_t id, spans::Incomplete reason, std::uint64_t now_ns, spans::SpanBatch& batch);
    void sweep(std::uint64_t now_ns, spans::SpanBatch& batch);
    Context context(const Connection& connection, std::uint64_t now_ns, spans::SpanBatch& batch);
    Connection* find(std::uint64_t id);

    TrackerConfig config_;
    Traces traces_;
    SharedNames names_;
    WaitingSpans waiting_;
    std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
    std::vector<Connection*> waiting_list_;  // with an exchange open
    std::vector<Counts> counts_;
    TrackerStats stats_;
    std::unordered_map<std::uint32_t, Unreadable> unreadable_;
    std::vector<RuleChange> rule_changes_;
    std::vector<DoneTail> done_tails_;
    std::vector<std::uint64_t> holding_;       // connections with events that wait
    std::vector<std::uint64_t> ended_;         // since the last tick
    std::vector<std::uint64_t> ended_before_;  // to forget at the next tick
    std::uint64_t last_sweep_ns_ = 0;
    std::uint64_t now_ns_ = 0;
    Connection* last_ = nullptr;  // of the event before: most come in pairs
};

}  // namespace waggle::protocols
