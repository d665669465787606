// SPDX-License-Identifier: Apache-2.0
#include "metrics/self_metrics.h"

#include <algorithm>
#include <memory>
#include <tuple>

#include "metrics/self_descriptions.h"

namespace waggle::metrics {
namespace {

// What Beyla counts too, under its own names.
constexpr std::string_view kBeylaNames[] = {
    "waggle.otel.metric.exports",
    "waggle.otel.metric.export.errors",
    "waggle.otel.trace.exports",
    "waggle.otel.trace.export.errors",
    "waggle.prometheus.http.requests",
    "waggle.instrumented.processes",
    "waggle.build.info",
    "waggle.internal.build.info",
};

std::string_view profile_name(std::string_view name, Profile profile, Arena& arena) {
    const bool is_renamed = profile == Profile::Beyla &&
                            std::find(std::begin(kBeylaNames), std::end(kBeylaNames), name) != std::end(kBeylaNames);
    if (!is_renamed) return arena.copy(name);
    return arena.copy("beyla" + std::string(name.substr(std::string_view("waggle").size())));
}

std::vector<spans::Attribute> to_attributes(const SelfMetrics::Labels& labels, Arena& arena) {
    std::vector<spans::Attribute> out;
    for (const auto& [key, value] : labels) out.push_back({arena.copy(key), arena.copy(value)});
    return out;
}

ResourceMetrics& agent_metrics(Snapshot& snapshot, spans::ResourcePtr agent) {
    for (ResourceMetrics& resource : snapshot.resources)
        if (resource.is_agent) return resource;
    snapshot.resources.push_back({.resource = std::move(agent), .is_agent = true});
    return snapshot.resources.back();
}

}  // namespace

SelfMetrics::~SelfMetrics() {
    for (Entry* entry = head_.load(); entry;) delete std::exchange(entry, entry->next);
}

SelfMetrics::Entry* SelfMetrics::find(std::string_view name, const Labels& labels) const {
    for (Entry* entry = head_.load(std::memory_order_acquire); entry; entry = entry->next)
        if (entry->name == name && entry->labels == labels) return entry;
    return nullptr;
}

SelfValue& SelfMetrics::find_or_add(std::string_view name, Labels labels, std::string_view unit, Kind kind) {
    if (Entry* entry = find(name, labels)) return entry->value;
    auto added = std::make_unique<Entry>(name, unit, kind, labels);
    do {
        added->next = head_.load(std::memory_order_acquire);
        // Somebody else may have added it since; after this look only by moving the head.
        if (Entry* entry = find(name, labels)) return entry->value;
    } while (!head_.compare_exchange_strong(added->next, added.get(), std::memory_order_acq_rel));
    return added.release()->value;
}

SelfValue& SelfMetrics::counter(std::string_view name, Labels labels, std::string_view unit) {
    return find_or_add(name, std::move(labels), unit, Kind::Counter);
}

SelfValue& SelfMetrics::gauge(std::string_view name, Labels labels, std::string_view unit) {
    return find_or_add(name, std::move(labels), unit, Kind::Gauge);
}

void SelfMetrics::visit(std::string_view name, const std::function<void(const Labels&, std::int64_t)>& visit) const {
    for (const Entry* entry = head_.load(std::memory_order_acquire); entry; entry = entry->next)
        if (entry->name == name) visit(entry->labels, entry->value.get());
}

std::int64_t SelfMetrics::value(std::string_view name, const Labels& labels) const {
    const Entry* entry = find(name, labels);
    return entry ? entry->value.get() : 0;
}

void SelfMetrics::append(Snapshot& snapshot, Profile profile, spans::ResourcePtr agent,
                         std::uint64_t started_ns) const {
    std::vector<const Entry*> entries;
    for (const Entry* entry = head_.load(std::memory_order_acquire); entry; entry = entry->next)
        entries.push_back(entry);
    if (entries.empty()) return;
    std::sort(entries.begin(), entries.end(), [](const Entry* a, const Entry* b) {
        return std::tie(a->name, a->labels) < std::tie(b->name, b->labels);
    });
    auto& metrics = agent_metrics(snapshot, std::move(agent)).metrics;
    const Entry* last = nullptr;
    for (const Entry* entry : entries) {
        const bool is_time = entry->unit == "ns";
        if (!last || last->name != entry->name)
            metrics.push_back({.name = profile_name(entry->name, profile, snapshot.arena),
                               .unit = is_time ? std::string_view("s") : snapshot.arena.copy(entry->unit),
                               .description = self_description(entry->name),
                               .kind = entry->kind,
                               .is_integer = !is_time});
        last = entry;
        metrics.back().points.push_back({.attributes = to_attributes(entry->labels, snapshot.arena),
                                         .start_ns = started_ns,
                                         .time_ns = snapshot.time_ns,
                                         .value = static_cast<double>(entry->value.get()) * (is_time ? 1e-9 : 1)});
    }
}

void append_info(Snapshot& snapshot, Profile profile, std::string_view name, const SelfMetrics::Labels& labels,
                 spans::ResourcePtr agent) {
    auto& metrics = agent_metrics(snapshot, std::move(agent)).metrics;
    metrics.push_back({.name = profile_name(name, profile, snapshot.arena),
                       .description = self_description(name),
                       .kind = Kind::Gauge,
                       .is_integer = true});
    metrics.back().points.push_back({.attributes = to_attributes(labels, snapshot.arena),
                                     .start_ns = snapshot.time_ns,
                                     .time_ns = snapshot.time_ns,
                                     .value = 1});
}

}  // namespace waggle::metrics
