// SPDX-License-Identifier: Apache-2.0
#include "metrics/registry.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>

#include "metrics/series.h"
#include "metrics/target_info.h"
#include "spans/attribute_names.h"

namespace waggle::metrics {
namespace {

using spans::Span;

bool contains(const std::vector<std::string>& list, std::string_view item) {
    return std::find(list.begin(), list.end(), item) != list.end();
}

// Of the protocols' own metrics; those of spans in general and of the graph are for all.
bool is_of_protocols(const Instrument& instrument) { return instrument.feature == "application"; }

bool same_keys(const std::vector<AttributeRow>& a, const std::vector<AttributeRow>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const AttributeRow& x, const AttributeRow& y) { return x.name == y.name && x.get == y.get; });
}

std::string identity(const spans::Resource& resource) {
    std::string key = resource.service_namespace;
    key.append(1, '\0').append(resource.service_name).append(1, '\0').append(resource.instance_id);
    return key;
}

// Spans that discovery could not name yet.
const spans::ResourcePtr& unknown_resource() {
    static const spans::ResourcePtr kUnknown = std::make_shared<const spans::Resource>();
    return kUnknown;
}

}  // namespace

struct Registry::State {
    explicit State(RegistryOptions options);

    struct Group {  // a view and who feeds it
        bool (*when)(const Span&);
        bool is_of_protocols;
        View view;
    };
    // Does `instrumentations` name it?
    bool is_wanted(std::string_view name) const {
        return has_every_protocol || contains(options.instrumentations, name);
    }

    void add(const Instrument& instrument);
    ResourceState& resource_of(const spans::ResourcePtr& pointer);
    void record(const Span& span, std::uint64_t now_ns);
    void record(Cell& cell, const Active& active, double value, const Span& span) const;
    void drop_idle_resources(std::uint64_t now_ns);
    void collect_row(const View& view, Row& row, Snapshot& snapshot, std::vector<std::vector<std::size_t>>& places);
    Point point_of(Cell& cell, const Active& active, std::uint64_t start_ns, std::uint64_t now_ns) const;
    Temporality temporality_of(Kind kind) const {
        return kind == Kind::Counter || kind == Kind::Histogram ? options.temporality : Temporality::Cumulative;
    }

    RegistryOptions options;
    bool has_target_info = false;
    bool has_every_protocol = false;
    std::vector<Group> groups;
    std::size_t actives = 0;
    std::map<std::string, std::unique_ptr<ResourceState>> resources;  // by identity
    // Shortcut for the pointers seen; each is kept alive by its ResourceState.
    std::unordered_map<const spans::Resource*, ResourceState*> by_pointer;
    const spans::Resource* last_pointer = nullptr;
    ResourceState* last_resource = nullptr;
    AttributeSet scratch;
    std::uint64_t interval_start_ns = 0;  // delta: when the current interval began
    std::int64_t interval_start_unix_ns = 0;
    std::uint64_t overflowed = 0;
};

Registry::State::State(RegistryOptions given)
    : options(std::move(given)), has_every_protocol(contains(options.instrumentations, "*")) {
    for (const Instrument& instrument : instruments()) {
        if (instrument.shape(options.profile).name.empty()) continue;
        if (!contains(options.features, instrument.feature)) continue;
        if (!instrument.when && !is_wanted(instrument.instrumentation)) continue;
        add(instrument);
    }
    has_target_info =
        contains(options.features, "application_span") || contains(options.features, "application_service_graph");
}

void Registry::State::add(const Instrument& instrument) {
    const Shape& shape = instrument.shape(options.profile);
    std::vector<AttributeRow> known(shape.attributes.begin(), shape.attributes.end());
    if (!options.has_routes) std::erase_if(known, [](const AttributeRow& row) { return row.name == attr::http_route; });
    std::vector<AttributeRow> keys = instrument.is_selectable ? selected(options.select, shape.name, known) : known;

    Active active{.instrument = &instrument, .shape = &shape, .id = actives++};
    const auto& configured = instrument.bounds_kind == BoundsKind::Duration ? options.duration_bounds
                             : instrument.bounds_kind == BoundsKind::Size   ? options.size_bounds
                                                                            : std::nullopt;
    if (options.histograms != Histograms::Exponential)
        active.bounds = configured.value_or(std::vector<double>(shape.bounds.begin(), shape.bounds.end()));

    for (Group& group : groups)
        if (group.when && group.when == instrument.when && group.is_of_protocols == is_of_protocols(instrument) &&
            same_keys(group.view.keys(), keys)) {
            group.view.add(std::move(active));
            return;
        }
    groups.push_back(
        {instrument.when, is_of_protocols(instrument), View(std::move(keys), {options.series_limit, options.ttl_ns})});
    groups.back().view.add(std::move(active));
}

ResourceState& Registry::State::resource_of(const spans::ResourcePtr& given) {
    const spans::ResourcePtr& pointer = given ? given : unknown_resource();
    if (pointer.get() == last_pointer) return *last_resource;
    ResourceState* state = nullptr;
    if (const auto found = by_pointer.find(pointer.get()); found != by_pointer.end()) {
        state = found->second;
    } else {
        auto& owned = resources[identity(*pointer)];
        if (!owned) owned = std::make_unique<ResourceState>();
        state = owned.get();
        if (state->resource) by_pointer.erase(state->resource.get());
        state->resource = pointer;
        by_pointer[pointer.get()] = state;
    }
    last_pointer = pointer.get();
    last_resource = state;
    return *state;
}

void Registry::State::record(const Span& span, std::uint64_t now_ns) {
    if (span.is_ignored_for_metrics) return;
    ResourceState& resource = resource_of(span.resource);
    resource.last_ns = now_ns;
    const bool is_protocol_wanted = is_wanted(span.configured_as());
    for (Group& group : groups) {
        if (!group.when || (group.is_of_protocols && !is_protocol_wanted) || !group.when(span)) continue;
        group.view.extract(span, scratch);
        Row& row = group.view.row(scratch, resource, span.start_ns ? span.start_ns : now_ns);
        row.last_ns = now_ns;
        const bool is_overflow = group.view.is_overflow(row);
        const std::vector<Active>& list = group.view.actives();
        for (std::size_t i = 0; i < list.size(); ++i) {
            const double value = list[i].instrument->value(span);
            if (std::isnan(value)) continue;
            record(row.cells[i], list[i], value, span);
            if (is_overflow) ++overflowed;
        }
    }
}

void Registry::State::record(Cell& cell, const Active& active, double value, const Span& span) const {
    if (active.instrument->kind == Kind::Histogram) {
        if (!active.bounds.empty()) {
            if (cell.counts.empty()) cell.counts.resize(active.bounds.size() + 1);
            const auto bucket = std::lower_bound(active.bounds.begin(), active.bounds.end(), value);
            ++cell.counts[static_cast<std::size_t>(bucket - active.bounds.begin())];
        }
        if (options.histograms != Histograms::Explicit) {
            if (!cell.exponential) cell.exponential.emplace(options.exponential_scale, options.exponential_size);
            cell.exponential->record(value);
        }
        cell.min = cell.count == 0 ? value : std::min(cell.min, value);
        cell.max = cell.count == 0 ? value : std::max(cell.max, value);
    }
    ++cell.count;
    cell.sum += value;
    if (options.has_exemplars && (span.flags & spans::kSampled) && span.trace_id.is_valid() && span.span_id.is_valid())
        cell.exemplar = Exemplar{span.trace_id, span.span_id, value, span.end_ns};
}

Point Registry::State::point_of(Cell& cell, const Active& active, std::uint64_t start_ns, std::uint64_t now_ns) const {
    Point point{.start_ns = start_ns, .time_ns = now_ns, .value = cell.sum, .exemplar = cell.exemplar};
    if (active.instrument->kind == Kind::Histogram) {
        point.histogram = {
            .count = cell.count, .sum = cell.sum, .min = cell.min, .max = cell.max, .counts = cell.counts};
        if (cell.exponential) point.histogram.exponential = cell.exponential->point();
    }
    if (temporality_of(active.instrument->kind) == Temporality::Delta) {
        cell.count = 0;
        cell.sum = 0;
        std::fill(cell.counts.begin(), cell.counts.end(), 0);
        if (cell.exponential) cell.exponential->clear();
        cell.exemplar.reset();
    }
    return point;
}

void Registry::State::collect_row(const View& view, Row& row, Snapshot& snapshot,
                                  std::vector<std::vector<std::size_t>>& places) {
    const bool is_overflow = view.is_overflow(row);
    // The wall clock is adjusted all the time; a start that moves would be a new series each time.
    if (row.start_unix_ns == 0) row.start_unix_ns = static_cast<std::int64_t>(row.start_ns) + snapshot.wall_offset_ns;
    std::vector<spans::Attribute> attributes;
    if (is_overflow) {
        attributes.push_back({"otel.metric.overflow", true});
    } else {
        for (std::size_t i = 0; i < row.values.size(); ++i) {
            if (!(row.present & (1u << i))) continue;
            spans::Value value = row.values[i];
            if (auto* text = std::get_if<std::string_view>(&value)) *text = snapshot.arena.copy(*text);
            attributes.push_back({view.keys()[i].name, value});
        }
    }
    const std::size_t at = is_overflow ? snapshot.resources.size() - 1 : row.resource->snapshot_index;
    auto& metrics = snapshot.resources[at].metrics;
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
        Cell& cell = row.cells[i];
        if (cell.count == 0) continue;
        const Active& active = view.actives()[i];
        const Kind kind = active.instrument->kind;
        std::size_t& place = places[at][active.id];
        if (place == SIZE_MAX) {
            place = metrics.size();
            metrics.push_back({.name = active.shape->name,
                               .unit = active.shape->unit,
                               .description = active.instrument->description,
                               .kind = kind,
                               .temporality = temporality_of(kind),
                               .is_integer = active.instrument->is_integer,
                               .bounds = active.bounds});
        }
        const bool is_delta = temporality_of(kind) == Temporality::Delta;
        std::int64_t start = row.start_unix_ns;
        if (is_delta && interval_start_ns > 0) start = interval_start_unix_ns;
        start =
            std::clamp<std::int64_t>(start - snapshot.wall_offset_ns, 0, static_cast<std::int64_t>(snapshot.time_ns));
        Point point = point_of(cell, active, static_cast<std::uint64_t>(start), snapshot.time_ns);
        point.attributes = attributes;
        point.is_overflow = is_overflow;
        metrics[place].points.push_back(std::move(point));
    }
}

void Registry::State::drop_idle_resources(std::uint64_t now_ns) {
    if (options.ttl_ns == 0) return;
    std::erase_if(resources, [&](const auto& item) {
        const ResourceState& state = *item.second;
        if (state.rows > 0 || state.last_ns + options.ttl_ns >= now_ns) return false;
        by_pointer.erase(state.resource.get());
        return true;
    });
    last_pointer = nullptr;
    last_resource = nullptr;
}

Registry::Registry(RegistryOptions options) : state_(std::make_unique<State>(std::move(options))) {}
Registry::~Registry() = default;
Registry::Registry(Registry&&) noexcept = default;
Registry& Registry::operator=(Registry&&) noexcept = default;

void Registry::record(const spans::SpanBatch& batch, std::uint64_t now_ns) {
    for (const Span& span : batch) state_->record(span, now_ns);
}

void Registry::record(const Span& span, std::uint64_t now_ns) { state_->record(span, now_ns); }

void Registry::set(std::string_view instrument, const spans::ResourcePtr& resource,
                   std::span<const spans::Attribute> attributes, double value, std::uint64_t now_ns) {
    for (State::Group& group : state_->groups) {
        if (group.when || group.view.actives()[0].shape->name != instrument) continue;
        ResourceState& state = state_->resource_of(resource);
        state.last_ns = now_ns;
        group.view.extract(attributes, state_->scratch);
        Row& row = group.view.row(state_->scratch, state, now_ns);
        row.last_ns = now_ns;
        if (group.view.is_overflow(row)) {  // levels of many series cannot be summed one by one
            ++state_->overflowed;
            return;
        }
        row.cells[0].count = 1;
        row.cells[0].sum = value;
        return;
    }
}

Snapshot Registry::collect(std::uint64_t now_ns, std::int64_t wall_offset_ns) {
    State& state = *state_;
    for (State::Group& group : state.groups) group.view.expire(now_ns);
    state.drop_idle_resources(now_ns);

    Snapshot snapshot;
    snapshot.time_ns = now_ns;
    snapshot.wall_offset_ns = wall_offset_ns;
    for (auto& [key, resource] : state.resources) {
        resource->snapshot_index = snapshot.resources.size();
        snapshot.resources.push_back({.resource = resource->resource});
    }
    snapshot.resources.emplace_back();  // for overflow
    std::vector<std::vector<std::size_t>> places(snapshot.resources.size(),
                                                 std::vector<std::size_t>(state.actives, SIZE_MAX));
    for (State::Group& group : state.groups)
        group.view.visit([&](Row& row) { state.collect_row(group.view, row, snapshot, places); });
    if (state.has_target_info) append_target_info(snapshot, state.options.profile);
    std::erase_if(snapshot.resources, [](const ResourceMetrics& r) { return r.metrics.empty(); });
    state.interval_start_ns = now_ns;
    state.interval_start_unix_ns = static_cast<std::int64_t>(now_ns) + wall_offset_ns;
    return snapshot;
}

void Registry::hold_series(bool is_held) {
    for (State::Group& group : state_->groups) group.view.hold(is_held);
}

std::uint64_t Registry::series() const {
    std::uint64_t sum = 0;
    for (const State::Group& group : state_->groups) sum += group.view.size() * group.view.actives().size();
    return sum;
}

std::uint64_t Registry::overflowed() const { return state_->overflowed; }

Profile Registry::profile() const { return state_->options.profile; }

}  // namespace waggle::metrics
