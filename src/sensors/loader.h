// SPDX-License-Identifier: Apache-2.0
// Loader: opens a sensor's object, chooses the programs of an alternative from the kernel's BTF, loads
// and attaches them, and reports. With ring.h the only code that knows libbpf.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bpf/abi/rules.h"
#include "sensors/map.h"
#include "sensors/sensor.h"

struct bpf_object;
struct bpf_program;
struct bpf_link;

namespace waggle::sensors {

class KernelProbes;

// Times programs were not run because they were running on this CPU already, by program.
using MissedRuns = std::map<std::string, std::uint64_t, std::less<>>;

struct LoadOptions {
    wg_settings settings{};
    std::vector<std::string> disabled;                 // names of alternatives not to use
    std::vector<std::string> requested;                // names of programs that are loaded on request
    std::map<std::string, std::uint32_t> map_entries;  // map name → max_entries
    std::map<std::string, int> shared_maps;            // map name → fd of a map loaded before
    bool is_beside_others = false;                     // other threads load meanwhile: one is enough for this
};

// A loaded sensor: owns objects and links; detaches on destruction.
class Sensor {
  public:
    ~Sensor();
    Sensor(const Sensor&) = delete;
    Sensor& operator=(const Sensor&) = delete;

    // Takes links only: maps stay readable.
    void detach();
    int map_fd(std::string_view name) const;  // -1 when there is none
    bpf_program* program(std::string_view name) const;
    int program_fd(std::string_view name) const;
    template <typename Key, typename Value>
    Map<Key, Value> map(std::string_view name) const {
        return Map<Key, Value>(map_fd(name));
    }
    // Everything the object's (only) iterator writes in one run.
    Result<std::string> read_iterator() const;
    MissedRuns missed_runs() const;
    // All but constants.
    void share_maps(LoadOptions& with) const;

  private:
    friend std::unique_ptr<Sensor> load(const SensorSpec&, const LoadOptions&, SensorReport&);
    Sensor();

    bpf_object* object_ = nullptr;
    std::vector<bpf_object*> parts_;  // that share its maps and hold its programs, where those were loaded at once
    std::vector<bpf_link*> links_;
    std::unique_ptr<KernelProbes> probes_;
    std::map<std::string, int> program_fds_;
};

// Null when no alternative works; the report says why.
std::unique_ptr<Sensor> load(const SensorSpec& spec, const LoadOptions& options, SensorReport& report);

// True when the kernel's BTF has the raw tracepoint or the function.
bool kernel_has_tracepoint(std::string_view name);
bool kernel_has_function(std::string_view name);
// True when programs at tracepoints may be preempted: the kernel protects tracepoints by fast SRCU (7.0 or so).
bool kernel_preempts_tracepoints();
int possible_cpus();

// Raises the locked-memory limit, which kernels before 5.11 charge maps to.
void raise_memory_limit();

}  // namespace waggle::sensors
