// SPDX-License-Identifier: Apache-2.0
// Record files: the event stream as a file (bpf/abi/events.h): eight bytes "WAGGLE1\n", then records. A
// replay runs everything above the sensors from it, with no kernel and no privileges.
#pragma once

#include <cstddef>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/config.h"

namespace waggle::agent {

class RecordWriter {
  public:
    // Mode 0600. Masked: letters and digits of bodies and of field values that the parsers do not need
    // are overwritten.
    static Result<std::unique_ptr<RecordWriter>> create(const std::string& path, bool is_masked);
    ~RecordWriter();
    RecordWriter(const RecordWriter&) = delete;
    RecordWriter& operator=(const RecordWriter&) = delete;

    // From one thread.
    void write(std::span<const std::byte> record);

  private:
    RecordWriter(std::FILE* file, bool is_masked) : file_(file), is_masked_(is_masked) {}
    std::FILE* file_;
    bool is_masked_;
    std::vector<char> masked_;
};

// Overwrites what a record file need not show.
void mask_payload(std::span<char> payload);

// Prints the spans of a file, as trace_printer says (text when it says nothing).
Result<void> replay(const std::string& path, const config::Config& config);

}  // namespace waggle::agent
