// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "metrics/instruments.h"
#include "metrics/self_descriptions.h"

namespace waggle::metrics {
namespace {

std::string_view kind_name(const Instrument& instrument) {
    switch (instrument.kind) {
        case Kind::Counter:
            return "counter";
        case Kind::UpDownCounter:
            return "up-down counter";
        case Kind::Gauge:
            return "gauge";
        case Kind::Histogram:
            break;
    }
    return "histogram";
}

std::string list(AttributeRows rows, Shown shown) {
    std::string out;
    for (const AttributeRow& row : rows)
        if (row.shown == shown) out += fmt::format("{}`{}`", out.empty() ? "" : ", ", row.name);
    return out.empty() ? "–" : out;
}

std::string list(Bounds bounds) { return fmt::format("{}", fmt::join(bounds, ", ")); }

void print_profile(Profile profile, std::string_view title, std::string& out) {
    auto to = std::back_inserter(out);
    fmt::format_to(to, "\n## {}\n\n", title);
    out +=
        "| Metric | Kind | Unit | Feature | Attributes | On request (`attributes.select`) | What "
        "|\n|---|---|---|---|---|---|---|\n";
    for (const Instrument& instrument : instruments()) {
        const Shape& shape = instrument.shape(profile);
        if (shape.name.empty()) continue;
        fmt::format_to(to, "| `{}` | {} | {} | `{}` | {} | {} | {} |\n", shape.name, kind_name(instrument),
                       shape.unit.empty() ? "–" : shape.unit, instrument.feature,
                       list(shape.attributes, Shown::Default), list(shape.attributes, Shown::Optional),
                       instrument.description);
    }
    std::vector<const double*> printed;
    out += "\nBuckets, unless the configuration has others:\n\n";
    for (const Instrument& instrument : instruments()) {
        const Bounds bounds = instrument.shape(profile).bounds;
        const bool is_printed = std::find(printed.begin(), printed.end(), bounds.data()) != printed.end();
        if (bounds.empty() || is_printed) continue;
        printed.push_back(bounds.data());
        fmt::format_to(to, "- {}: {}\n",
                       instrument.bounds_kind == BoundsKind::Duration ? "durations in seconds" : "sizes in bytes",
                       list(bounds));
    }
}

void print_own(std::string& out) {
    out +=
        "\n## The agent's own metrics\n\n"
        "They are beside the others, under the agent's own name. A request that was seen is exported, or "
        "counted by\nwhat became of it: no loss is silent.\n\n"
        "| Metric | Kind | Labels | What |\n|---|---|---|---|\n";
    for (const SelfDescription& row : self_descriptions())
        fmt::format_to(std::back_inserter(out), "| `{}` | {} | {} | {} |\n", row.name, row.kind,
                       row.labels.empty() ? "–" : row.labels, row.text);
}

}  // namespace

std::string instruments_markdown() {
    std::string out =
        "# Metrics\n\n"
        "Printed from the table in `src/metrics/instruments.cc` by a test; change it there and run "
        "the\n"
        "test with `WAGGLE_UPDATE_DOCS=1`.\n\n"
        "Names are OpenTelemetry's. Prometheus names follow by rule: dots become underscores, the "
        "unit\n"
        "is appended (`s` is `_seconds`, `By` is `_bytes`), and counters end in `_total`. Every "
        "series\n"
        "is about one service, which OTLP says in the resource and Prometheus in `job` and "
        "`instance`,\n"
        "with the rest in `target_info`. Beyond `series_limit` series per instrument, points go to "
        "one\n"
        "series with `otel.metric.overflow=true`, so that sums stay right. A series that was not "
        "seen\n"
        "for `ttl` is forgotten; when it comes again it has a new start time.\n\n"
        "An exchange that reaches `ebpf.max_exchange_age`, or is open when the agent stops, is "
        "counted\n"
        "once, without `http.response.status_code`: how it ends is not known. Its span has the "
        "status\n"
        "when a head was read, and says `waggle.incomplete`. One whose connection ends without "
        "an answer\n"
        "has `error.type=connection_closed`.\n";
    print_profile(Profile::Otel, "Profile `otel` (semantic conventions)", out);
    print_profile(Profile::Beyla, "Profile `beyla` (names and labels of Beyla 2.0)", out);
    out +=
        "\n`traces_target_info` 1 is written once per service when a feature of spans or the "
        "service\n"
        "graph is on.\n";
    print_own(out);
    return out;
}

}  // namespace waggle::metrics
