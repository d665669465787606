// SPDX-License-Identifier: Apache-2.0
// Capture: the base sensors (sockets and processes) with the maps by which user space talks to them.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "bpf/abi/events.h"
#include "bpf/abi/rules.h"
#include "bpf/abi/tally.h"
#include "sensors/copies.h"
#include "sensors/loader.h"
#include "sensors/map.h"
#include "sensors/ring.h"
#include "sensors/tls_probes.h"

namespace waggle::sensors {

struct CaptureOptions {
    std::vector<std::string> disabled;
    std::uint32_t pid_namespace = 0;  // inode of the one that pids are told in; 0: the host's first
    std::uint32_t ring_bytes = 4u << 20;
    std::uint32_t rings = 1;
    std::uint32_t request_bytes = 16384;
    std::uint32_t response_bytes = 4096;
    std::uint32_t unknown_bytes = 4096;
    std::uint32_t max_targets = 65536;
    std::uint32_t cpus = 0;                 // 0: as many as there may be
    std::uint32_t copies = 0;               // of the programs; 0: as many as the kernel needs
    bool has_queue_time = false;            // watch arrivals: costs something per packet
    bool has_tls = true;                    // watch TLS libraries
    std::vector<wg_framing> framings = {};  // as rules name them, at most WG_FRAMINGS
};

class Capture {
  public:
    // Fails only when no way to see sockets loads; the reports say what works in any case.
    static Result<std::unique_ptr<Capture>> start(const CaptureOptions& options, std::vector<SensorReport>& reports);
    ~Capture();
    Capture(const Capture&) = delete;
    Capture& operator=(const Capture&) = delete;

    void detach();

    // Null where TLS libraries are not watched.
    TlsProbes* tls() { return tls_.get(); }

    // False when the kernel's table is full. The kernel side adds and takes away targets meanwhile.
    bool set_target(std::uint32_t kernel_tgid, const wg_target& target);
    void remove_target(std::uint32_t kernel_tgid);
    Map<std::uint64_t, wg_connection_rules>& rules() { return rules_; }
    Map<wg_tail_key, wg_tail>& tails() { return tails_; }
    // The shared page.
    wg_state& state() { return *state_; }
    void beat(std::uint64_t now_ns);
    // A calm ring's reader is woken for new connections.
    void set_calm(std::size_t ring, bool is_calm);
    // Makes rules written before this call known to the programs.
    void publish_rules();
    // Overload: of a call at most so many bytes are copied (0: as the rules say); nothing is copied, but counted and
    // timed.
    void set_max_bytes(std::uint32_t bytes);
    void set_counting(bool is_counting);
    // The kill switch: from the next call on nothing is copied. For good.
    void switch_off();
    Map<wg_tally_key, wg_tally>& tallies() { return tallies_; }
    // After a target was taken away or changed: connections look again whether their process is one.
    void publish_targets();

    int ring_fd(std::size_t index) const { return rings_[index].get(); }
    std::size_t rings() const { return rings_.size(); }
    // -1 where processes are not watched.
    int process_ring_fd() const;

    // The kernel's numbers of the processes in the agent's pid namespace; empty where it lives in the
    // host's first, since they are the same there.
    std::vector<wg_task_numbers> task_numbers() const;

    std::array<std::uint64_t, WG_COUNTERS> counters() const;
    // Runs that the kernel has left out, for all copies of a program: of programs that see traffic, and processes.
    struct Missed {
        std::uint64_t of_traffic = 0;
        std::uint64_t of_processes = 0;
    };
    Missed missed_runs() const;

  private:
    Capture() = default;
    void load_rest(const LoadOptions& of_sockets, const std::string& hook, bool is_typed, bool has_tls,
                   std::vector<SensorReport>& reports);
    void load_io_uring(const LoadOptions& options, SensorReport& report);

    std::unique_ptr<Sensor> sockets_;
    std::unique_ptr<Sensor> io_uring_;  // null where the sockets' own hook gives its text
    Copies socket_copies_;
    Copies io_uring_copies_;
    std::unique_ptr<Sensor> processes_;
    std::unique_ptr<TlsProbes> tls_;
    std::unique_ptr<Sensor> tasks_;  // only in a pid namespace of its own
    std::vector<Fd> rings_;
    int targets_fd_ = -1;
    Map<std::uint64_t, wg_connection_rules> rules_;
    Map<wg_tail_key, wg_tail> tails_;
    Map<wg_tally_key, wg_tally> tallies_;
    wg_state* state_ = nullptr;
    std::size_t state_bytes_ = 0;
    int counters_fd_ = -1;
};

// The sensors and their alternatives, for doctor.
const std::vector<SensorSpec>& base_sensors();

}  // namespace waggle::sensors
