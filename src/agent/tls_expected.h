// SPDX-License-Identifier: Apache-2.0
// TlsExpected: the TLS libraries that processes of a program have loaded so far. The next one is expected to do so,
// too, and has its probes before it does: else one that is over in some milliseconds is not read. Used by TlsWatch.
#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include "proc/mapped_code.h"
#include "proc/procfs.h"

namespace waggle::agent {

class TlsExpected {
  public:
    static constexpr std::size_t kMaxPrograms = 1024;
    static constexpr std::size_t kMaxOfProgram = 8;
    static constexpr int kMaxMisses = 4;

    // By the executable's file. Libraries are told apart by path and inode; their range is empty.
    proc::MappedCodes of(const proc::FileId& program) const;
    // A process has loaded it.
    void learn(const proc::FileId& program, const proc::MappedCode& library);
    // It was expected and did not come, or is not to be found: after some in a row nothing is expected any more.
    void miss(const proc::FileId& program, const proc::MappedCode& library);

  private:
    struct Library {
        proc::MappedCode file;
        int misses = 0;
    };
    std::map<proc::FileId, std::vector<Library>> by_program_;
};

}  // namespace waggle::agent
