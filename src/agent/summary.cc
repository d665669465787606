// SPDX-License-Identifier: Apache-2.0
#include "agent/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ranges>
#include <tuple>

namespace waggle::agent {
namespace {

std::string_view side_of(spans::SpanKind kind) {
    switch (kind) {
        case spans::SpanKind::Server:
            return "server";
        case spans::SpanKind::Client:
        case spans::SpanKind::Producer:
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

std::string size_text(std::uint64_t bytes) {
    if (bytes < 10'000) return fmt::format("{} B", bytes);
    if (bytes < 10'000'000) return fmt::format("{} kB", bytes / 1000);
    return fmt::format("{} MB", bytes / 1'000'000);
}

std::string percent(double share) { return fmt::format("{:.1f}%", 100 * share); }

// Less is no conversation: a program's processes wake each other through sockets, too.
constexpr std::uint64_t kLeastUndecoded = 1024;

// The service's name takes what the other columns leave.
constexpr std::string_view kColumns = "{:<{}} {:<8} {:<7} {:>9} {:>7} {:>8} {:>8} {:>10}";
constexpr int kFixedColumns = 8 + 7 + 9 + 7 + 8 + 8 + 10 + 7;

// The front of a text, by characters; width is that of plain text.
std::string_view cut(std::string_view text, int width) {
    int seen = 0;
    for (std::size_t i = 0; i < text.size(); ++i)
        if ((text[i] & 0xc0) != 0x80 && ++seen > width) return text.substr(0, i);
    return text;
}

// Names come from strangers: nothing of them moves the cursor.
std::string plain(std::string_view name) {
    std::string out(name);
    for (char& c : out)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    return out;
}

// "seen 1200 · exported 1190 · lost 10: 8 request turns by ring_full, 2 spans by export_failed"
std::string books_text(const Account& account) {
    const ProtocolAccount total = account.total();
    std::string text = fmt::format("seen {}", total.seen);
    for (const auto& [end, name] : {std::pair("exported", "exported"), std::pair("sampled_out", "sampled out"),
                                    std::pair("aggregated", "as metrics"), std::pair("filtered", "filtered")})
        if (const auto found = total.ends.find(end); found != total.ends.end())
            text += fmt::format(" · {} {}", name, found->second);
    if (account.counted) text += fmt::format(" · counted {}", account.counted);
    const std::vector<Loss> lost = losses(account);
    if (lost.empty()) text += " · nothing lost";
    for (const Loss& loss : lost)
        text +=
            fmt::format("{}{} {} by {}", &loss == lost.data() ? " · lost: " : ", ", loss.amount, loss.what, loss.cause);
    if (total.unaccounted) text += fmt::format(" · {} unaccounted", total.unaccounted);
    return text;
}

std::string row_text(const Summary::Row& row, int name) {
    return fmt::format(kColumns, cut(plain(row.service), name), name, row.protocol, row.side,
                       fmt::format("{:.1f}", row.per_second), percent(row.error_share), duration_text(row.p50_s),
                       duration_text(row.p99_s), fmt::format("{}", row.total));
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
        rows.push_back(
            {.service = key.service,
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
    std::ranges::sort(rows, [](const Row& a, const Row& b) {
        return std::tie(b.per_second, b.total, a.service, a.side) < std::tie(a.per_second, a.total, b.service, b.side);
    });
    return rows;
}

std::string render_live(const std::vector<Summary::Row>& rows, const Status& status, const Screen& screen) {
    // Home, draw, clear each line's rest and what is below: no flicker. No line may wrap.
    std::string out = "\x1b[H";
    int left = screen.height - 1;
    const auto line = [&](std::string_view text, std::string_view style = {}) {
        if (left-- <= 0) return;
        out += fmt::format("{}{}{}\x1b[K\r\n", style, cut(text, screen.width), style.empty() ? "" : "\x1b[0m");
    };
    const int name = std::clamp(screen.width - kFixedColumns, 12, 40);
    line(fmt::format("waggle {} · {} processes · {} open{}", WAGGLE_VERSION, status.watched, status.open,
                     status.port ? fmt::format(" · Prometheus :{}", status.port) : ""));
    line(books_text(status.account));
    line("");
    line(fmt::format(kColumns, "SERVICE", name, "PROTOCOL", "SIDE", "REQ/S", "ERRORS", "P50", "P99", "TOTAL"),
         "\x1b[1m");
    // What is below the rows has its place first.
    const auto is_talk = [](const auto& entry) { return entry.second.bytes >= kLeastUndecoded; };
    const int below =
        static_cast<int>(std::min<std::ptrdiff_t>(std::ranges::count_if(status.undecoded, is_talk), 5)) + 2;
    std::size_t shown = 0;
    Summary::Row sum;
    for (const Summary::Row& row : rows) {
        sum.per_second += row.per_second;
        sum.error_share += row.per_second * row.error_share;
        sum.total += row.total;
        if (left <= below) continue;
        ++shown;
        line(row_text(row, name));
    }
    if (rows.empty()) line("waiting for requests …");
    if (shown < rows.size()) line(fmt::format("… and {} more", rows.size() - shown));
    if (rows.size() > 1)
        line(fmt::format(kColumns, "all", name, "", "", fmt::format("{:.1f}", sum.per_second),
                         percent(sum.per_second > 0 ? sum.error_share / sum.per_second : 0), "", "",
                         fmt::format("{}", sum.total)),
             "\x1b[2m");
    for (const auto& [service, traffic] : status.undecoded | std::views::filter(is_talk))
        line(fmt::format("{}: {} connections, {} of no known protocol", service, traffic.connections,
                         size_text(traffic.bytes)),
             "\x1b[2m");
    out += "\x1b[J";
    return out;
}

std::string render_lines(const std::vector<Summary::Row>& rows, const Status& status) {
    std::string out;
    for (const Summary::Row& row : rows) {
        if (row.per_second == 0) continue;
        out += fmt::format("{} {} {}: {:.1f} req/s, {:.1f}% errors, p50 {}, p99 {}, {} in all\n", row.service,
                           row.protocol, row.side, row.per_second, 100 * row.error_share, duration_text(row.p50_s),
                           duration_text(row.p99_s), row.total);
    }
    if (!out.empty() || !is_balanced(status.account)) out += books_text(status.account) + "\n";
    return out;
}

}  // namespace waggle::agent
