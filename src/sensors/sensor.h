// SPDX-License-Identifier: Apache-2.0
// Sensor: one BPF object with its ways to attach, best first. Each way is tried for real; the
// report says which one holds and why the better ones do not. A missing sensor never stops the agent.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace waggle::sensors {

// A program of an alternative. Optional ones are dropped where the kernel has no such hook.
struct Program {
    std::string_view name;
    // What must be in the kernel's BTF: "sock_send_length" for a raw tracepoint, a function's name
    // for fexit. Empty: always there.
    std::string_view needs;
    bool is_optional = false;
    bool is_on_request = false;  // only where LoadOptions::requested names it
    bool is_by_hand = false;     // loaded here, attached by its owner
    unsigned attach_type = 0;    // what it is loaded for, where its section does not say it
};

// A program that runs at a function of the kernel's, or at its return (sensors/kprobe.h).
struct Probe {
    std::string_view program;
    std::string_view function;
    bool is_return = false;
    bool is_optional = false;  // not every kernel has the function
};

struct Alternative {
    std::string_view name;  // config's ebpf.disable speaks of it: tp_btf, fentry, kprobe
    std::vector<Program> programs;
    std::vector<Probe> probes = {};
    const void* (*object)(std::size_t* size) = nullptr;  // null: the sensor's
};

struct SensorSpec {
    std::string_view name;
    const void* (*object)(std::size_t* size);
    std::vector<Alternative> alternatives;
    std::string_view cost_of_absence;  // what the user loses, for doctor
};

enum class SensorState { Active, Degraded, Unavailable };

struct SensorReport {
    std::string name;
    SensorState state = SensorState::Unavailable;
    std::string chosen;                // alternative's name
    std::vector<std::string> reasons;  // why better alternatives, or optional programs, are not used
    std::string cost_of_absence;
    bool lacks_tracefs =
        false;  // kernel probes were tried, and cannot be defined: tracefs is not there, or not to be written
};

}  // namespace waggle::sensors
