// SPDX-License-Identifier: Apache-2.0
// Account: the books of the agent as they stand, read from its self metrics: what was seen and where it went, what was
// not seen and why. The console, the status page and `waggle doctor --live` show it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/self_metrics.h"

namespace waggle::agent {

using ByCause = std::map<std::string, std::int64_t>;

std::int64_t sum(const ByCause& causes);

struct ProtocolAccount {
    std::int64_t seen = 0;
    std::int64_t in_flight = 0;
    std::int64_t unaccounted = 0;
    ByCause ends;        // as in waggle.requests.ended
    ByCause turns_lost;  // by cause
};

struct Account {
    std::map<std::string, ProtocolAccount> protocols;  // that anything is told of
    ByCause missed;            // turns of requests of which no event tells: one each, where they are sent one by one
    ByCause bytes_missed;      // … and the bytes of all such calls
    std::int64_t counted = 0;  // … that were only counted, over cpu_limit
    ByCause events_lost;
    ByCause plaintext_unbound;  // pieces of it
    ByCause spans_dropped;      // by exporters
    ByCause points_dropped;
    std::int64_t spans_sent = 0;
    std::int64_t spans_queued = 0;
    std::int64_t export_unaccounted = 0;
    std::int64_t refused = 0;  // connections
    std::int64_t evicted = 0;
    std::int64_t tracked = 0;
    std::int64_t memory_limit = 0;
    std::int64_t memory_used = 0;
    std::int64_t memory_pressure = 0;
    std::int64_t overload_step = 0;

    ProtocolAccount total() const;
};

Account read_account(const metrics::SelfMetrics& self);

// Something that was lost, how much of it, and what can be done.
struct Loss {
    std::string what;  // "requests", "request turns", "turns", "spans", …
    std::string cause;
    std::int64_t amount = 0;
    std::string_view hint;
};

// What is lost for good. What could never be read (encrypted, of no known protocol) and what is older than the agent is
// none.
std::vector<Loss> losses(const Account& account);
bool is_balanced(const Account& account);

}  // namespace waggle::agent
