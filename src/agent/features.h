// SPDX-License-Identifier: Apache-2.0
// Features: what the agent can do, what each of it needs, and what is lost without. The one table from which
// doctor, the start-up messages and docs/privileges.md come.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/capabilities.h"
#include "config/config.h"
#include "sensors/sensor.h"

namespace waggle::agent {

// What decides whether a feature is wanted here at all.
struct Surroundings {
    const config::Config& config;
    std::pair<int, int> kernel;                           // 6.18
    bool has_own_pid_namespace = false;                   // /proc shows the numbers of one that is not the host's
    std::uint16_t first_free_port = 1024;                 // lower ones are kept for the privileged
    std::span<const sensors::SensorReport> sensors = {};  // empty: not tried yet
};

struct Feature {
    std::string_view name;
    std::vector<std::string_view> needs;  // capabilities, all of them
    std::string_view sensor;              // what must be attached as well; empty: nothing
    bool needs_typed_hook = false;        // … by `tp_btf` or `fentry`
    std::string_view lost;                // "so" what, without it
    std::string_view condition;           // for the document: when it is wanted; empty: always
    bool (*is_wanted)(const Surroundings&) = nullptr;
    bool is_vital = false;  // nothing works without it
};

const std::vector<Feature>& features();

struct FeatureState {
    const Feature* feature;
    bool is_wanted = true;
    std::vector<std::string_view> missing;  // capabilities
    bool is_sensor_missing = false;
    bool is_hook_missing = false;  // this kernel has none for it, or it is disabled: nothing can be granted
    bool is_available() const { return missing.empty() && !is_sensor_missing && !is_hook_missing; }
    bool is_lost() const { return is_wanted && (!missing.empty() || is_sensor_missing); }
};

Surroundings surroundings(const config::Config& config, std::span<const sensors::SensorReport> sensors = {});
std::vector<FeatureState> judge(const Surroundings& around, const CapabilitySet& set);
// Those that wanted features lack, each once.
std::vector<std::string_view> missing_capabilities(std::span<const FeatureState> states);
// What is there of what wanted features need, and what is missing: a grant replaces the whole set.
std::vector<std::string_view> needed_capabilities(std::span<const FeatureState> states);

// A line for each feature that is lost for want of a capability, and one that says how to grant what is missing.
std::vector<std::string> privilege_messages(std::span<const FeatureState> states);

// A line for each feature that no hook was found for.
std::vector<std::string> hook_messages(std::span<const FeatureState> states);

// docs/privileges.md's tables.
std::string privileges_markdown();

}  // namespace waggle::agent
