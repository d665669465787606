// SPDX-License-Identifier: Apache-2.0
// Instrument: one metric as one row of a table. Registry records by it, OTLP and Prometheus names
// derive from it, docs/metrics.md is printed from it. To add a metric, add a row in instruments.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/snapshot.h"
#include "spans/span.h"

namespace waggle::metrics {

// Whose names, units, buckets and labels: OpenTelemetry's semantic conventions, or Beyla 2.0's.
enum class Profile : std::uint8_t { Otel, Beyla };

enum class Shown : std::uint8_t { Default, Optional };

// An attribute of a metric. Without a getter it is the span's attribute of that name.
struct AttributeRow {
    std::string_view name;
    Shown shown = Shown::Default;
    // False: the span has no such value.
    bool (*get)(const spans::Span&, spans::Value&) = nullptr;
};

using AttributeRows = std::span<const AttributeRow>;
using Bounds = std::span<const double>;

// What differs from row to row between the profiles; an empty name means the profile lacks the
// metric.
struct Shape {
    std::string_view name;
    std::string_view unit;
    AttributeRows attributes;
    Bounds bounds;
};

enum class BoundsKind : std::uint8_t { None, Duration, Size };  // which configured buckets replace them

struct Instrument {
    Kind kind = Kind::Histogram;
    std::string_view feature;                       // config features: application, application_span …
    std::string_view instrumentation;               // of what no span feeds: what `instrumentations` calls it
    bool (*when)(const spans::Span&) = nullptr;     // null: fed by Registry::set
    double (*value)(const spans::Span&) = nullptr;  // NaN: nothing to record
    bool is_integer = false;
    bool is_selectable = true;  // attributes.select applies
    BoundsKind bounds_kind = BoundsKind::None;
    Shape otel;
    Shape beyla;
    std::string_view description;

    const Shape& shape(Profile profile) const { return profile == Profile::Otel ? otel : beyla; }
};

std::span<const Instrument> instruments();

// docs/metrics.md
std::string instruments_markdown();

}  // namespace waggle::metrics
