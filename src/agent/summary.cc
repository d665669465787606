// SPDX-License-Identifier: Apache-2.0
#include "agent/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace waggle::agent {
namespace {

std::string_view side_of(spans::SpanKind kind) {
    switch (kind) {
        case spans::SpanKind::Server:
            return "server";
        case spans::SpanKind::Client:
            return "client";
        default:
            return "unknown";
    }
}

std::string duration_text(double seconds) {
    if (seconds <= 0) return "-";
    if (seconds < 1e-3) return fmt::format("{:.0f} µs", seconds * 1e6);
    if (seconds < 1) return fmt::format("{:.1f} ms", seconds * 1e3);
    return fmt::format("{:.2f} s", seconds);
}

}  // namespace

std::size_t Summary::bucket_of(double seconds) {
    if (seconds <= 1e-6) return 0;
    const double index = std::log2(seconds * 1e6) * 4;
    return std::min<std::size_t>(static_cast<std::size_t>(index) + 1, kBuckets - 1);
}

double Summary::percentile(const Cell& cell, double share) {
    if (!cell.count) return 0;
    const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(cell.count)));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
        seen += cell.buckets[i];
        if (seen >= wanted) return 1e-6 * std::exp2(static_cast<double>(i) / 4);
    }
    return 0;
}

void Summary::record(const spans::SpanBatch& batch) {
    for (const spans::Span& span : batch) {
        if (!last_cell_ || span.resource.get() != last_resource_ || span.protocol != last_protocol_ ||
            span.kind != last_kind_) {
            Key key{span.resource ? span.resource->service_name : "", span.protocol, span.kind};
            auto found = cells_.find(key);
            if (found == cells_.end()) {
                if (cells_.size() >= kMaxCells) continue;
                found = cells_.try_emplace(std::move(key)).first;
            }
            last_cell_ = &found->second;
            last_resource_ = span.resource.get();
            last_protocol_ = span.protocol;
            last_kind_ = span.kind;
        }
        ++last_cell_->count;
        ++last_cell_->total;
        last_cell_->errors += span.status == spans::Status::Error;
        ++last_cell_->buckets[bucket_of(span.seconds())];
    }
    last_resource_ = nullptr;  // the next batch may come after this resource was freed
    last_cell_ = nullptr;
}

std::vector<Summary::Row> Summary::take(double seconds) {
    std::vector<Row> rows;
    rows.reserve(cells_.size());
    for (auto& [key, cell] : cells_) {
        rows.push_back({.service = key.service,
                        .protocol = std::string(key.protocol),
                        .side = std::string(side_of(key.kind)),
                        .per_second = seconds > 0 ? static_cast<double>(cell.count) / seconds : 0,
                        .error_share = cell.count ? static_cast<double>(cell.errors) / static_cast<double>(cell.count) : 0,
                        .p50_s = percentile(cell, 0.50),
                        .p99_s = percentile(cell, 0.99),
                        .total = cell.total});
        cell.buckets.fill(0);
        cell.count = 0;
        cell.errors = 0;
    }
    std::ranges::stable_sort(rows, [](const Row& a, const Row& b) {
        return a.per_second != b.per_second ? a.per_second > b.per_second : a.total > b.total;
    });
    return rows;
}

std::string render_live(const std::vector<Summary::Row>& rows, std::string_view status, int height) {
    // Home, draw, clear each line's rest and what is below: no flicker.
    std::string out = "\x1b[H";
    const auto line = [&](std::string_view text) { out += fmt::format("{}\x1b[K\r\n", text); };
    line(status);
    line("");
    line(fmt::format("\x1b[1m{:<32} {:<8} {:<8} {:>10} {:>8} {:>10} {:>10} {:>12}\x1b[0m", "SERVICE", "PROTOCOL",
                     "SIDE", "REQ/S", "ERRORS", "P50", "P99", "TOTAL"));
    int left = height - 5;
    for (const Summary::Row& row : rows) {
        if (left-- <= 0) break;
        line(fmt::format("{:<32.32} {:<8} {:<8} {:>10.1f} {:>7.1f}% {:>10} {:>10} {:>12}", row.service, row.protocol,
                         row.side, row.per_second, 100 * row.error_share, duration_text(row.p50_s),
                         duration_text(row.p99_s), row.total));
    }
    if (rows.empty()) line("waiting for requests …");
    out += "\x1b[J";
    return out;
}

std::string render_lines(const std::vector<Summary::Row>& rows) {
    std::string out;
    for (const Summary::Row& row : rows) {
        if (row.per_second == 0) continue;
        out += fmt::format("{} {} {}: {:.1f} req/s, {:.1f}% errors, p50 {}, p99 {}, {} in all\n", row.service,
                           row.protocol, row.side, row.per_second, 100 * row.error_share, duration_text(row.p50_s),
                           duration_text(row.p99_s), row.total);
    }
    return out;
}

}  // namespace waggle::agent
