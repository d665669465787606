// SPDX-License-Identifier: Apache-2.0
#include "agent/status_page.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

namespace waggle::agent {
namespace {

using Json = nlohmann::ordered_json;

Json as_json(const ProtocolAccount& account) {
    return {{"seen", account.seen},
            {"ended", account.ends},
            {"in_flight", account.in_flight},
            {"unaccounted", account.unaccounted},
            {"turns_lost", account.turns_lost}};
}

}  // namespace

std::string_view state_name(sensors::SensorState state) {
    switch (state) {
        case sensors::SensorState::Active:
            return "active";
        case sensors::SensorState::Degraded:
            return "degraded";
        case sensors::SensorState::Unavailable:
            return "unavailable";
    }
    return "";
}

std::string status_json(const Account& account, const LiveFacts& facts) {
    Json out;
    out["version"] = WAGGLE_VERSION;
    out["pid"] = ::getpid();
    out["is_ready"] = facts.is_ready;
    out["uptime_s"] = static_cast<std::int64_t>(facts.uptime_s);
    out["is_balanced"] = is_balanced(account);
    out["requests"] = as_json(account.total());
    out["protocols"] = Json::object();
    for (const auto& [protocol, one] : account.protocols) out["protocols"][protocol] = as_json(one);
    out["requests_missed"] = account.missed;
    out["bytes_missed"] = account.bytes_missed;
    out["requests_counted"] = account.counted;
    out["events_lost"] = account.events_lost;
    out["export"] = {{"spans_sent", account.spans_sent},
                     {"spans_queued", account.spans_queued},
                     {"spans_dropped", account.spans_dropped},
                     {"spans_unaccounted", account.export_unaccounted},
                     {"points_dropped", account.points_dropped}};
    out["connections"] = {{"tracked", account.tracked}, {"refused", account.refused}, {"evicted", account.evicted}};
    out["losses"] = Json::array();
    for (const Loss& loss : losses(account))
        out["losses"].push_back(
            {{"what", loss.what}, {"cause", loss.cause}, {"amount", loss.amount}, {"hint", loss.hint}});
    out["budget"] = {{"memory_limit", account.memory_limit},
                     {"memory_used", account.memory_used},
                     {"memory_pressure", account.memory_pressure},
                     {"overload_step", account.overload_step}};
    out["sensors"] = Json::array();
    for (const sensors::SensorReport& report : facts.sensors)
        out["sensors"].push_back({{"name", report.name}, {"state", state_name(report.state)}, {"hook", report.chosen}});
    return out.dump(2) + "\n";
}

}  // namespace waggle::agent
