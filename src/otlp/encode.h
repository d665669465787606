// SPDX-License-Identifier: Apache-2.0
// Spans and metrics as OTLP export requests, in protobuf and in JSON, grouped by resource. Text
// that is no UTF-8 is repaired: a receiver would refuse the whole request for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "metrics/instruments.h"
#include "metrics/snapshot.h"
#include "spans/span.h"

namespace waggle::otlp {

struct SpanContext {
    metrics::Profile profile = metrics::Profile::Otel;
    std::int64_t wall_offset_ns = 0;  // monotonic + offset = nanoseconds since the Unix epoch
};

std::string spans_to_protobuf(const spans::SpanBatch& batch, const SpanContext& context);
std::string spans_to_json(const spans::SpanBatch& batch, const SpanContext& context);

std::string metrics_to_protobuf(const metrics::Snapshot& snapshot, metrics::Profile profile);
std::string metrics_to_json(const metrics::Snapshot& snapshot, metrics::Profile profile);

struct PartialSuccess {
    std::uint64_t rejected = 0;
    std::string message;  // at most 1 KiB
};

// What an export response says was refused; nothing when all was accepted or the body is rubbish.
std::optional<PartialSuccess> read_partial_success(std::string_view body);
std::optional<PartialSuccess> read_partial_success_json(std::string_view body);

}  // namespace waggle::otlp
