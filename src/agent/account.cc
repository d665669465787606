// SPDX-License-Identifier: Apache-2.0
#include "agent/account.h"

#include <algorithm>
#include <iterator>
#include <numeric>

namespace waggle::agent {
namespace {

using Labels = metrics::SelfMetrics::Labels;

const std::string& label(const Labels& labels, std::string_view key) {
    static const std::string kNone;
    const auto found = std::ranges::find(labels, key, &Labels::value_type::first);
    return found == labels.end() ? kNone : found->second;
}

struct Row {
    std::string_view what;
    std::string_view cause;
    std::string_view hint;
};

constexpr std::string_view kTooSlow =
    "the agent is slower than the traffic: raise ebpf.ring_bytes, or give it more processor time";
constexpr std::string_view kHole = "parts of a conversation were not reported: look at what was missed";
constexpr std::string_view kBackEnd =
    "the back end is gone or too slow: look at its log, or raise otel_traces_export.max_queue_size";
constexpr std::string_view kMaps = "too many connections for a table of the kernel's side: watch fewer processes";
constexpr std::string_view kBusy =
    "the kernel ran no program for a call, since one was at work on that processor: docs/platforms.md";
constexpr std::string_view kMemory = "memory_limit is reached: raise it, or watch fewer processes";

// Who is not named here is no loss. An empty cause: any.
constexpr Row kLosses[] = {
    {"request turns", "ring_full", kTooSlow},
    {"request turns", "agent_stopped", "the agent did not run for two seconds or more: is it stopped, or starved?"},
    {"request turns", "switched_off", "capture was switched off while the agent was ending"},
    {"request turns", "interrupted", "a program ran inside another one on its processor"},
    {"request turns", "memory_limit", kMemory},
    {"request turns", "role_unknown",
     "over cpu_limit requests are only counted, and of these it was not known who asks: raise cpu_limit"},
    {"requests", "channel_full", kTooSlow},
    {"turns", "parse_invalid", "bytes that are no message of their protocol: a broken peer, or a mistake in Waggle"},
    {"turns", "hole", kHole},
    {"turns", "queue_full", "one connection had too many requests open at once"},
    {"turns", "memory_limit", kMemory},
    {"connections", "refused", kMemory},
    {"connections", "evicted", kMemory},
    {"spans", "queue_full", kBackEnd},
    {"spans", "export_failed", kBackEnd},
    {"spans", "rejected", "the back end took only a part: its answers are logged at level debug"},
    {"spans", "shutdown", kBackEnd},
    {"metric points", "queue_full", kBackEnd},
    {"metric points", "export_failed", kBackEnd},
    {"metric points", "rejected", "the back end took only a part: its answers are logged at level debug"},
    {"metric points", "shutdown", kBackEnd},
    {"events", "ring_full_connection", kTooSlow},
    {"events", "ring_full_close", kTooSlow},
    {"events", "ring_full_process", kTooSlow},
    {"events", "socket_storage", "the kernel had no memory for a connection's state"},
    {"events", "tail_map_full", kMaps},
    {"events", "target_map_full", kMaps},
    {"events", "tally_map_full", kMaps},
    {"events", "program_busy", kBusy},
    {"events", "process_program_busy", kBusy},
    {"pieces of plaintext", "no_socket",
     "a TLS library was used, and no connection was found that it used: docs/tls.md"},
    {"pieces of plaintext", "no_room", "too much plaintext waited for the connection that it belongs to: docs/tls.md"},
};

}  // namespace

std::int64_t sum(const ByCause& causes) {
    return std::accumulate(causes.begin(), causes.end(), std::int64_t{0},
                           [](std::int64_t total, const auto& entry) { return total + entry.second; });
}

ProtocolAccount Account::total() const {
    ProtocolAccount total;
    for (const auto& [protocol, one] : protocols) {
        total.seen += one.seen;
        total.in_flight += one.in_flight;
        total.unaccounted += one.unaccounted;
        for (const auto& [end, count] : one.ends) total.ends[end] += count;
        for (const auto& [cause, count] : one.turns_lost) total.turns_lost[cause] += count;
    }
    return total;
}

Account read_account(const metrics::SelfMetrics& self) {
    Account account;
    const auto by_protocol = [&](std::string_view name, auto&& take) {
        self.visit(name, [&](const Labels& labels, std::int64_t value) {
            if (value != 0) take(account.protocols[label(labels, "protocol")], labels, value);
        });
    };
    by_protocol("waggle.requests.seen",
                [](ProtocolAccount& to, const Labels&, std::int64_t value) { to.seen = value; });
    by_protocol("waggle.requests.in_flight",
                [](ProtocolAccount& to, const Labels&, std::int64_t value) { to.in_flight = value; });
    by_protocol("waggle.requests.unaccounted",
                [](ProtocolAccount& to, const Labels&, std::int64_t value) { to.unaccounted = value; });
    by_protocol("waggle.requests.ended", [](ProtocolAccount& to, const Labels& labels, std::int64_t value) {
        to.ends[label(labels, "end")] = value;
    });
    by_protocol("waggle.turns.lost", [](ProtocolAccount& to, const Labels& labels, std::int64_t value) {
        to.turns_lost[label(labels, "cause")] = value;
    });
    const auto by_cause = [&](std::string_view name, ByCause& to, std::string_view signal = {}) {
        self.visit(name, [&](const Labels& labels, std::int64_t value) {
            if (value != 0 && (signal.empty() || label(labels, "signal") == signal))
                to[label(labels, "cause")] += value;
        });
    };
    by_cause("waggle.requests.missed", account.missed);
    by_cause("waggle.capture.lost", account.bytes_missed);
    by_cause("waggle.events.lost", account.events_lost);
    by_cause("waggle.tls.unbound", account.plaintext_unbound);
    by_cause("waggle.export.dropped", account.spans_dropped, "spans");
    by_cause("waggle.export.dropped", account.points_dropped, "metrics");
    const auto total = [&](std::string_view name, std::string_view signal = {}) {
        ByCause values;
        by_cause(name, values, signal);
        return sum(values);
    };
    account.counted = total("waggle.requests.counted");
    account.spans_sent = total("waggle.export.sent", "spans");
    account.spans_queued = total("waggle.export.queued", "spans");
    account.export_unaccounted = total("waggle.export.unaccounted");
    account.refused = total("waggle.connections.refused");
    account.evicted = total("waggle.connections.evicted");
    account.tracked = total("waggle.connections.tracked");
    account.memory_limit = total("waggle.memory.limit");
    account.memory_used = total("waggle.memory.usage");
    account.memory_pressure = total("waggle.memory.pressure");
    account.overload_step = total("waggle.overload.step");
    return account;
}

std::vector<Loss> losses(const Account& account) {
    std::vector<Loss> found;
    const auto add = [&](std::string_view what, const ByCause& causes) {
        for (const auto& [cause, amount] : causes) {
            const auto row =
                std::ranges::find_if(kLosses, [&](const Row& one) { return one.what == what && one.cause == cause; });
            if (row != std::end(kLosses) && amount != 0) found.push_back({std::string(what), cause, amount, row->hint});
        }
    };
    const ProtocolAccount total = account.total();
    add("request turns", account.missed);
    add("requests", total.ends);
    add("turns", total.turns_lost);
    add("connections", {{"refused", account.refused}, {"evicted", account.evicted}});
    add("spans", account.spans_dropped);
    add("metric points", account.points_dropped);
    add("events", account.events_lost);
    add("pieces of plaintext", account.plaintext_unbound);
    return found;
}

bool is_balanced(const Account& account) {
    const bool adds_up =
        std::ranges::all_of(account.protocols, [](const auto& entry) { return entry.second.unaccounted == 0; });
    return adds_up && account.export_unaccounted == 0 && losses(account).empty();
}

}  // namespace waggle::agent
