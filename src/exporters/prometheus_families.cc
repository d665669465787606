// SPDX-License-Identifier: Apache-2.0
#include "exporters/prometheus_families.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "metrics/merge.h"
#include "metrics/target_info.h"
#include "spans/attribute_names.h"
#include "spans/utf8.h"

namespace waggle::exporters {
namespace {

using Labels = std::vector<std::pair<std::string, std::string>>;

std::string_view unit_word(std::string_view unit, metrics::Kind kind) {
    if (unit == "s") return "seconds";
    if (unit == "ms") return "milliseconds";
    if (unit == "By") return "bytes";
    if (unit == "1" && kind == metrics::Kind::Gauge) return "ratio";
    return {};
}

std::string sanitised(std::string_view name) {
    std::string out;
    for (const char c : name) {
        const bool is_good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9' && !out.empty()) || c == '_' || c == ':';
        if (!is_good && c >= '0' && c <= '9') out += '_';
        out += is_good || (c >= '0' && c <= '9') ? c : '_';
    }
    return out;
}

std::string label_name(std::string_view name) {
    std::string out = sanitised(name);
    std::replace(out.begin(), out.end(), ':', '_');
    return out;
}

std::string label_value(const spans::Value& value) {
    std::string storage;
    if (const auto* text = std::get_if<std::string_view>(&value)) return std::string(spans::valid_utf8(*text, storage));
    if (const auto* number = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *number);
    if (const auto* number = std::get_if<double>(&value)) return fmt::format("{}", *number);
    return std::get<bool>(value) ? "true" : "false";
}

// By name; names that became the same share one label (OpenTelemetry's rule for Prometheus).
void sort_labels(Labels& labels) {
    std::stable_sort(labels.begin(), labels.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::size_t kept = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        if (kept > 0 && labels[kept - 1].first == labels[i].first) {
            labels[kept - 1].second += ";" + labels[i].second;
            continue;
        }
        if (kept != i) labels[kept] = std::move(labels[i]);
        ++kept;
    }
    labels.resize(kept);
}

void add(Labels& labels, std::string_view name, std::string_view value) {
    if (!value.empty()) labels.emplace_back(label_name(name), label_value(value));
}

Labels identity_labels(const spans::Resource& resource) {
    Labels labels;
    const std::string job = resource.service_namespace.empty()
                                ? resource.service_name
                                : resource.service_namespace + "/" + resource.service_name;
    add(labels, "job", job);
    add(labels, "instance", resource.instance_id);
    return labels;
}

// What every sample of a metric says about its service.
Labels resource_labels(const metrics::ResourceMetrics& resource, std::string_view metric, metrics::Profile profile) {
    if (!resource.resource || resource.is_agent || metric.starts_with("traces_service_graph_")) return {};
    Labels labels = identity_labels(*resource.resource);
    if (profile == metrics::Profile::Otel || metric.starts_with("traces_")) return labels;
    add(labels, attr::service_name, resource.resource->service_name);
    add(labels, attr::service_namespace, resource.resource->service_namespace);
    for (const auto& [key, value] : resource.resource->attributes)
        if (key.starts_with("k8s.")) add(labels, key, value);
    return labels;
}

std::string join(const Labels& labels) {
    std::string key;
    for (const auto& [name, value] : labels) key.append(name).append(1, '\0').append(value).append(1, '\0');
    return key;
}

class Builder {
  public:
    explicit Builder(const PrometheusOptions& options) : options_(options) {}

    void add_resource(const metrics::ResourceMetrics& resource) {
        for (const metrics::Metric& metric : resource.metrics) {
            if (metric.temporality == metrics::Temporality::Delta) continue;  // nothing to scrape
            Entry& entry = entry_of(metric);
            if (entry.family.kind != metric.kind || entry.family.bounds != metric.bounds) continue;
            const Labels common = resource_labels(resource, metric.name, options_.profile);
            for (const metrics::Point& point : metric.points) add_point(entry, common, point);
        }
        if (resource.resource && !resource.is_agent) add_target(*resource.resource);
    }

    Families take() {
        for (auto& [name, entry] : entries_) families_.list.push_back(std::move(entry.family));
        return std::move(families_);
    }

  private:
    struct Entry {
        Family family;
        std::unordered_map<std::string, std::size_t> by_labels;
    };

    Entry& entry_of(const metrics::Metric& metric) {
        const std::string name = prometheus_name(metric.name, metric.unit, metric.kind);
        const auto [at, is_new] = entries_.try_emplace(name);
        if (is_new)
            at->second.family = {.name = name,
                                 .unit = std::string(unit_word(metric.unit, metric.kind)),
                                 .help = std::string(metric.description),
                                 .kind = metric.kind,
                                 .bounds = metric.bounds};
        return at->second;
    }

    void add_point(Entry& entry, const Labels& common, const metrics::Point& point) {
        Labels labels = common;
        for (const spans::Attribute& attribute : point.attributes)
            labels.emplace_back(label_name(attribute.key), label_value(attribute.value));
        add_sample(entry, std::move(labels), point);
    }

    void add_sample(Entry& entry, Labels labels, const metrics::Point& point) {
        sort_labels(labels);
        auto& samples = entry.family.samples;
        const auto [at, is_new] = entry.by_labels.try_emplace(join(labels), samples.size());
        if (is_new) {
            samples.push_back({std::move(labels), &point});
            return;
        }
        Sample& sample = samples[at->second];
        families_.merged.push_back(*sample.point);
        metrics::merge(families_.merged.back(), point);
        sample.point = &families_.merged.back();
    }

    void add_target(const spans::Resource& resource) {
        Entry& entry = entries_["target_info"];
        entry.family.name = "target_info";
        entry.family.help = "Target metadata";
        entry.family.is_info = true;
        Labels labels = identity_labels(resource);
        for (const spans::Attribute& attribute :
             metrics::target_attributes(resource, options_.profile, options_.extra_resource_attributes))
            labels.emplace_back(label_name(attribute.key), label_value(attribute.value));
        sort_labels(labels);
        static const metrics::Point kOne{.value = 1};
        if (entry.by_labels.try_emplace(join(labels), 0).second)
            entry.family.samples.push_back({std::move(labels), &kOne});
    }

    const PrometheusOptions& options_;
    std::map<std::string, Entry> entries_;
    Families families_;
};

}  // namespace

std::string prometheus_name(std::string_view name, std::string_view unit, metrics::Kind kind) {
    std::string out = sanitised(name);
    const bool is_counter = kind == metrics::Kind::Counter;
    if (is_counter && out.ends_with("_total")) out.resize(out.size() - 6);
    if (const std::string_view word = unit_word(unit, kind); !word.empty() && !out.ends_with("_" + std::string(word)))
        out.append("_").append(word);
    if (is_counter) out += "_total";
    return out;
}

Families to_families(const metrics::Snapshot& snapshot, const PrometheusOptions& options) {
    Builder builder(options);
    for (const metrics::ResourceMetrics& resource : snapshot.resources) builder.add_resource(resource);
    return builder.take();
}

}  // namespace waggle::exporters
