// SPDX-License-Identifier: Apache-2.0
// Console printers of spans for trace_printer: text lines and JSON with Beyla's field names. The
// agent writes the text to standard output.
#pragma once

#include <cstdint>
#include <string>

#include "spans/span.h"

namespace waggle::exporters {

// Appends one line per span.
void print_text(const spans::SpanBatch& batch, std::int64_t wall_offset_ns, std::string& out);

// Appends one JSON array for the batch and a newline; nothing for an empty batch.
void print_json(const spans::SpanBatch& batch, std::int64_t wall_offset_ns, bool is_indented, std::string& out);

}  // namespace waggle::exporters
