// SPDX-License-Identifier: Apache-2.0
// TlsExpected: the TLS libraries that processes of a program have loaded so far. The next one is expected to do so,
// too, and has its probes before it does: else one that is over in some milliseconds is not read. Used by TlsWatch.
#pragma once

#include <cstddef>
#include <map>

#include "proc/mapped_code.h"
#include "proc/procfs.h"

namespace waggle::agent {

class TlsExpected {
  public:
    static constexpr std::size_t kMaxPrograms = 1024;
    static constexpr std::size_t kMaxOfProgram = 8;

    // By the executable's file.
    proc::MappedCodes of(const proc::FileId& program) const;
    void learn(const proc::FileId& program, const proc::MappedCode& library);
    // A process has not loaded it.
    void forget(const proc::FileId& program, const proc::MappedCode& library);

  private:
    std::map<proc::FileId, proc::MappedCodes> by_program_;
};

}  // namespace waggle::agent
