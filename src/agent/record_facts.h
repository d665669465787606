// SPDX-License-Identifier: Apache-2.0
// Facts of a record file that are no events: what a process is called, and how the tracker was set
// up. JSON, so that old and new versions read each other's.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "discover/target.h"
#include "protocols/tracker.h"

namespace waggle::agent {

// Masked: without the attributes that may hold more than names (paths, commands, owners).
std::string process_fact(const discover::Target& target, bool is_masked);
std::optional<discover::Target> read_process_fact(std::string_view json);

struct RecordSettings {
    protocols::TrackerConfig tracker;  // threads_are_contexts is not part of it
    std::int64_t wall_offset_ns = 0;
};
std::string settings_fact(const RecordSettings& settings);
std::optional<RecordSettings> read_settings_fact(std::string_view json);

}  // namespace waggle::agent
