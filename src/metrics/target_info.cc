// SPDX-License-Identifier: Apache-2.0
#include "metrics/target_info.h"

#include <algorithm>

#include "spans/attribute_names.h"

namespace waggle::metrics {
namespace {

std::string_view agent_name(Profile profile) { return profile == Profile::Beyla ? "beyla" : "waggle"; }

void add(std::vector<spans::Attribute>& to, std::string_view key, std::string_view value) {
    if (!value.empty()) to.push_back({key, value});
}

std::string_view find(const spans::Resource& resource, std::string_view key) {
    for (const auto& [name, value] : resource.attributes)
        if (name == key) return value;
    return {};
}

// Names are given dotted or underscored.
bool is_same_name(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return (x == '.' ? '_' : x) == (y == '.' ? '_' : y); });
}

}  // namespace

std::vector<spans::Attribute> resource_attributes(const spans::Resource& resource, Profile profile) {
    std::vector<spans::Attribute> out;
    add(out, attr::service_name, resource.service_name);
    add(out, attr::service_namespace, resource.service_namespace);
    add(out, attr::service_instance_id, resource.instance_id);
    add(out, attr::telemetry_sdk_language, resource.language);
    add(out, attr::telemetry_sdk_name, agent_name(profile));
    add(out, attr::telemetry_sdk_version, WAGGLE_VERSION);
    const std::size_t fixed = out.size();
    for (const auto& [key, value] : resource.attributes)
        if (std::none_of(out.begin(), out.begin() + std::ptrdiff_t(fixed),
                         [&](const spans::Attribute& a) { return a.key == key; }))
            add(out, key, value);
    return out;
}

std::vector<spans::Attribute> target_attributes(const spans::Resource& resource, Profile profile,
                                                const std::vector<std::string>& extra) {
    std::vector<spans::Attribute> out;
    if (profile == Profile::Otel) {
        // The OpenTelemetry rule: everything that is not in job and instance.
        out = resource_attributes(resource, profile);
        std::erase_if(out, [](const spans::Attribute& a) {
            return a.key == attr::service_name || a.key == attr::service_namespace ||
                   a.key == attr::service_instance_id;
        });
        return out;
    }
    add(out, attr::host_id, find(resource, attr::host_id));
    add(out, attr::host_name, find(resource, attr::host_name));
    add(out, "service", resource.service_name);
    add(out, attr::service_namespace, resource.service_namespace);
    add(out, attr::telemetry_sdk_language, resource.language);
    add(out, attr::telemetry_sdk_name, agent_name(profile));
    add(out, "source", agent_name(profile));
    for (const auto& [key, value] : resource.attributes) {
        const bool is_extra =
            std::any_of(extra.begin(), extra.end(), [&](const std::string& name) { return is_same_name(name, key); });
        const bool is_there =
            std::any_of(out.begin(), out.end(), [&](const spans::Attribute& a) { return a.key == key; });
        if ((is_extra || key.starts_with("k8s.")) && !is_there) add(out, key, value);
    }
    return out;
}

void append_target_info(Snapshot& snapshot, Profile profile) {
    for (ResourceMetrics& resource : snapshot.resources) {
        if (!resource.resource || resource.is_agent) continue;
        Metric metric{.name = "traces_target_info",
                      .description = "The service that traces are about.",
                      .kind = Kind::UpDownCounter,
                      .is_integer = true};
        Point point{.start_ns = snapshot.time_ns, .time_ns = snapshot.time_ns, .value = 1};
        // The snapshot holds the resource, so its text stays.
        point.attributes = target_attributes(*resource.resource, profile);
        metric.points.push_back(std::move(point));
        resource.metrics.push_back(std::move(metric));
    }
}

}  // namespace waggle::metrics
