// SPDX-License-Identifier: Apache-2.0
// KernelProbes: kprobes by way of tracefs, since a return probe that perf opens by itself has so small a
// pool that it misses most calls under load (kernels before 6.6); the definition in tracefs may say how
// many it shall have. Gone when the object is destroyed; what an agent that was killed has left is
// inert (nothing runs it) and removed by the next one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace waggle::sensors {

class KernelProbes {
  public:
    KernelProbes();
    ~KernelProbes();
    KernelProbes(const KernelProbes&) = delete;
    KernelProbes& operator=(const KernelProbes&) = delete;

    // False: no definition can be written.
    bool has_tracefs() const { return !tracefs_.empty(); }

    // Runs the program at the function's entry, or at its return, on every processor. Needs tracefs
    // mounted, and root or CAP_DAC_OVERRIDE to write there.
    Result<void> add(std::string_view function, bool is_return, int program_fd);

  private:
    struct Event {
        std::string name;
        Fd perf;
    };
    Result<void> define(const std::string& line) const;

    std::string tracefs_;
    std::string group_;
    std::vector<Event> events_;
};

}  // namespace waggle::sensors
