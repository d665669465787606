// SPDX-License-Identifier: Apache-2.0
#include "agent/ledger.h"

#include <algorithm>
#include <stdexcept>

#include "base/log.h"

namespace waggle::agent {
namespace {

constexpr std::string_view kEnds[] = {"exported", "sampled_out", "aggregated", "filtered", "unowned", "channel_full"};
static_assert(std::size(kEnds) == static_cast<std::size_t>(End::kCount));

// The worker of a delivery books in two steps: a difference that is gone at the next look was none.
constexpr int kLooks = 3;

std::size_t protocols_count() { return protocols::all().size(); }

}  // namespace

std::string_view name_of(End end) { return kEnds[static_cast<std::size_t>(end)]; }

void Ledger::Count::add(const spans::Span& span) {
    if (span.span_class == spans::SpanClass::Connection) return;
    if (span.protocol.data() != last_.data() || span.protocol.size() != last_.size()) {
        last_ = span.protocol;
        last_index_ = protocols::counted_as(last_);
    }
    if (last_index_ < protocols_count()) ++numbers_[last_index_];
}

void Ledger::Page::hand_on(const spans::SpanBatch& batch) {
    const Count count(batch);
    for (std::size_t i = 0; i < protocols_count(); ++i) handed_[i] += count.numbers()[i];
    add(ledger_.handed_, count.numbers());
}

void Ledger::Page::drop(const spans::SpanBatch& batch) { ledger_.end(End::ChannelFull, Count(batch).numbers()); }

void Ledger::Page::update(Sums& sums, Numbers& before, const Numbers& now) {
    for (std::size_t i = 0; i < protocols_count(); ++i)
        sums[i].fetch_add(now[i] - before[i], std::memory_order_relaxed);
    before = now;
}

void Ledger::Page::publish(const protocols::Tracker& tracker, const spans::SpanBatch& own) {
    Count waiting(own);
    tracker.visit_waiting([&](const spans::Span& span) { waiting.add(span); });
    const std::vector<std::uint64_t> open = tracker.unreported();
    Numbers kept{};
    Numbers gap{};
    for (std::size_t i = 0; i < protocols_count(); ++i) {
        kept[i] = static_cast<std::int64_t>(open[i]) + waiting.numbers()[i];
        gap[i] = static_cast<std::int64_t>(tracker.counts()[i].seen) - kept[i] - handed_[i];
    }
    update(ledger_.kept_, kept_, kept);
    update(ledger_.reader_gap_, gap_, gap);
}

Ledger::Ledger(metrics::SelfMetrics& self) : self_(self), export_unaccounted_(self.gauge("waggle.export.unaccounted")) {
    if (protocols_count() > kMaxProtocols) throw std::logic_error("Ledger: too many protocols");
    for (std::size_t i = 0; i < protocols_count(); ++i) {
        const std::string protocol(protocols::all()[i]->name);
        for (std::size_t end = 0; end < rows_[i].ends.size(); ++end)
            rows_[i].ends[end] =
                &self.counter("waggle.requests.ended", {{"end", std::string(kEnds[end])}, {"protocol", protocol}});
        rows_[i].in_flight = &self.gauge("waggle.requests.in_flight", {{"protocol", protocol}});
        rows_[i].unaccounted = &self.gauge("waggle.requests.unaccounted", {{"protocol", protocol}});
    }
}

void Ledger::add(Sums& sums, const Numbers& more) {
    for (std::size_t i = 0; i < protocols_count(); ++i)
        if (more[i]) sums[i].fetch_add(more[i], std::memory_order_relaxed);
}

void Ledger::end(End end, const Numbers& requests) {
    for (std::size_t i = 0; i < protocols_count(); ++i)
        if (requests[i]) rows_[i].ends[static_cast<std::size_t>(end)]->add(requests[i]);
}

void Ledger::end(End end, const Numbers& before, const Numbers& after) {
    for (std::size_t i = 0; i < protocols_count(); ++i)
        if (before[i] != after[i]) rows_[i].ends[static_cast<std::size_t>(end)]->add(before[i] - after[i]);
}

void Ledger::close_batch() {
    for (std::size_t i = 0; i < protocols_count(); ++i) {
        std::int64_t gap = taken_[i].load(std::memory_order_relaxed);
        for (std::size_t end = 0; end < rows_[i].ends.size(); ++end)
            if (end != static_cast<std::size_t>(End::ChannelFull)) gap -= rows_[i].ends[end]->get();
        pipeline_gap_[i].store(gap, std::memory_order_relaxed);
    }
}

std::int64_t Ledger::between(std::size_t protocol) const {
    return handed_[protocol].load(std::memory_order_relaxed) - taken_[protocol].load(std::memory_order_relaxed) -
           rows_[protocol].ends[static_cast<std::size_t>(End::ChannelFull)]->get();
}

Ledger::Numbers Ledger::handed() const {
    Numbers numbers{};
    for (std::size_t i = 0; i < protocols_count(); ++i) numbers[i] = handed_[i].load(std::memory_order_relaxed);
    return numbers;
}

void Ledger::rest(const Numbers& handed, bool has_exporter) {
    for (std::size_t i = 0; i < protocols_count(); ++i) {
        const std::int64_t gap = handed[i] - taken_[i].load(std::memory_order_relaxed) -
                                 rows_[i].ends[static_cast<std::size_t>(End::ChannelFull)]->get();
        channel_gap_[i].store(gap, std::memory_order_relaxed);
    }
    if (!has_exporter) return;
    std::int64_t exports = exports_gap();
    for (int look = 1; look < kLooks && exports != 0; ++look) exports = exports_gap();
    export_unaccounted_.set(exports);
}

// Exported, but neither sent nor queued nor dropped.
std::int64_t Ledger::exports_gap() const {
    std::int64_t gap = 0;
    const auto subtract = [&](const metrics::SelfMetrics::Labels& labels, std::int64_t value) {
        if (!std::ranges::count(labels, std::pair<std::string, std::string>("signal", "spans"))) return;
        gap -= value;
    };
    for (const std::string_view name : {"waggle.export.sent", "waggle.export.queued", "waggle.export.dropped"})
        self_.visit(name, subtract);
    for (std::size_t i = 0; i < protocols_count(); ++i)
        gap += rows_[i].ends[static_cast<std::size_t>(End::Exported)]->get();
    return gap;
}

void Ledger::refresh() {
    for (std::size_t i = 0; i < protocols_count(); ++i) {
        const std::int64_t under_way =
            std::max<std::int64_t>(0, between(i) - channel_gap_[i].load(std::memory_order_relaxed));
        rows_[i].in_flight->set(kept_[i].load(std::memory_order_relaxed) + under_way);
        rows_[i].unaccounted->set(reader_gap_[i].load(std::memory_order_relaxed) +
                                  channel_gap_[i].load(std::memory_order_relaxed) +
                                  pipeline_gap_[i].load(std::memory_order_relaxed));
    }
}

void Ledger::check() {
    refresh();
    for (std::size_t i = 0; i < protocols_count(); ++i) {
        const std::int64_t gap = rows_[i].unaccounted->get();
        if (gap == 0 || rows_[i].is_told) continue;
        rows_[i].is_told = true;
        log::warn("{} requests of {} are not accounted for: a mistake in Waggle, please report it", gap,
                  protocols::all()[i]->name);
    }
}

}  // namespace waggle::agent
