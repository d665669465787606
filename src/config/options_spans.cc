// SPDX-License-Identifier: Apache-2.0
// Rows: what is done to spans between capture and export.
#include <array>

#include "config/options.h"

namespace waggle::config {
namespace {

constexpr std::array<std::pair<std::string_view, Unmatched>, 5> kUnmatched{{{"unset", Unmatched::Unset},
                                                                            {"path", Unmatched::Path},
                                                                            {"wildcard", Unmatched::Wildcard},
                                                                            {"heuristic", Unmatched::Heuristic},
                                                                            {"", Unmatched::Wildcard}}};
constexpr std::array<std::pair<std::string_view, IgnoreMode>, 4> kIgnoreModes{{{"all", IgnoreMode::All},
                                                                               {"traces", IgnoreMode::Traces},
                                                                               {"metrics", IgnoreMode::Metrics},
                                                                               {"", IgnoreMode::All}}};

bool enables_kubernetes(std::string_view value) {
    return is_on(value) || equals_ignoring_case(trim(value, "\""), "autodetect");
}

// The section as a whole: "routes: null" switches route finding off.
struct AsSectionSwitch {
    static constexpr std::string_view kType = "section";
    static constexpr bool kNullEmpties = true;
    static void read(const Node& node, bool&, Reader& reader) {
        reader.error(node, "must be a section of keys, or null");
    }
    static std::string print(bool is_enabled) { return is_enabled ? "" : "null"; }
};

constexpr std::array kRows{
    pending("attributes.kubernetes.enable", "BEYLA_KUBE_METADATA_ENABLE", "word", "false",
            "Kubernetes metadata: `true`, `false` or `autodetect`", enables_kubernetes),
    pending("attributes.kubernetes.cluster_name", "BEYLA_KUBE_CLUSTER_NAME", "text", "\"\"", "`k8s.cluster.name`"),
    pending("attributes.kubernetes.kubeconfig_path", "KUBECONFIG", "path", "\"\"", "credentials"),
    pending("attributes.kubernetes.informers_sync_timeout", "BEYLA_KUBE_INFORMERS_SYNC_TIMEOUT", "duration", "30s",
            "wait for the first listing"),
    pending("attributes.kubernetes.informers_resync_period", "BEYLA_KUBE_INFORMERS_RESYNC_PERIOD", "duration", "30m",
            "list everything again after this"),
    pending("attributes.kubernetes.disable_informers", "BEYLA_KUBE_DISABLE_INFORMERS", "list", "[]",
            "`node`, `service`"),
    pending("attributes.kubernetes.meta_cache_address", "BEYLA_KUBE_META_CACHE_ADDRESS", "host:port", "\"\"",
            "cache service", is_something),
    pending("attributes.kubernetes.meta_restrict_local_node", "BEYLA_KUBE_META_RESTRICT_LOCAL_NODE", "boolean", "false",
            "only this node's pods"),
    pending("attributes.kubernetes.drop_external", "BEYLA_NETWORK_DROP_EXTERNAL", "boolean", "false",
            "network flows inside the cluster only"),
    pending("attributes.kubernetes.resource_labels", "", "map attribute → list of labels",
            "{service.name: [app.kubernetes.io/name], service.namespace: [app.kubernetes.io/part-of]}",
            "labels that give attributes"),
    pending("attributes.kubernetes.meta_source_labels.service_name", "BEYLA_KUBE_META_SOURCE_LABEL_SERVICE_NAME",
            "text", "\"\"", "deprecated"),
    pending("attributes.kubernetes.meta_source_labels.service_namespace",
            "BEYLA_KUBE_META_SOURCE_LABEL_SERVICE_NAMESPACE", "text", "\"\"", "deprecated"),
    option<[](auto& d) -> auto& { return d.config.attributes.instance_id_dns; }>(
        "attributes.instance_id.dns", "BEYLA_HOSTNAME_DNS_RESOLUTION",
        "`host.name` is the name with its domain, where the resolver has it within a second"),
    option<[](auto& d) -> auto& { return d.config.attributes.hostname; }>(
        "attributes.instance_id.override_hostname", "BEYLA_HOSTNAME", "the host's name, instead of looking it up"),
    option<[](auto& d) -> auto& { return d.config.attributes.host_id; }>("attributes.host_id.override", "BEYLA_HOST_ID",
                                                                         "`host.id`, instead of finding it"),
    option<[](auto& d) -> auto& { return d.config.attributes.host_id_fetch_timeout; }>(
        "attributes.host_id.fetch_timeout", "BEYLA_HOST_ID_FETCH_TIMEOUT", "*no effect:* it is found without a network")
        .without_effect(),
    option<[](auto& d) -> auto& { return d.config.attributes.select; }>(
        "attributes.select", "", "attributes per metric: name in any notation, or a glob"),

    option<[](auto& d) -> auto& { return d.config.routes.is_enabled; }, AsSectionSwitch>(
        "routes", "", "`null` switches route finding off")
        .section(),
    option<[](auto& d) -> auto& { return d.config.routes.unmatched; }, AsEnum<kUnmatched, false>>(
        "routes.unmatched", "WAGGLE_ROUTES_UNMATCHED",
        "route of a path that no pattern matches: `unset`, `path`, `wildcard` or `heuristic`"),
    option<[](auto& d) -> auto& { return d.config.routes.patterns; }>("routes.patterns", "WAGGLE_ROUTES_PATTERNS",
                                                                      "`/user/{id}`, `/user/:id`, `/static/*`"),
    option<[](auto& d) -> auto& { return d.config.routes.ignored_patterns; }>(
        "routes.ignored_patterns", "WAGGLE_ROUTES_IGNORED_PATTERNS", "requests to leave out"),
    option<[](auto& d) -> auto& { return d.config.routes.ignore_mode; }, AsEnum<kIgnoreModes, false>>(
        "routes.ignore_mode", "WAGGLE_ROUTES_IGNORE_MODE", "leave them out of `all`, `traces` or `metrics`"),
    option<[](auto& d) -> auto& { return d.config.routes.wildcard_char; }>(
        "routes.wildcard_char", "WAGGLE_ROUTES_WILDCARD_CHAR", "stands for a segment in a heuristic route"),
    option<[](auto& d) -> auto& { return d.config.routes.max_path_segment_cardinality; }>(
        "routes.max_path_segment_cardinality", "WAGGLE_ROUTES_MAX_PATH_SEGMENT_CARDINALITY",
        "different words of one heuristic segment before it becomes a wildcard"),

    option<[](auto& d) -> auto& { return d.config.name_resolver_sources; }>(
        "name_resolver.sources", "BEYLA_NAME_RESOLVER_SOURCES", "`dns`, `k8s`; `dns` has no effect yet"),
    pending("name_resolver.cache_len", "BEYLA_NAME_RESOLVER_CACHE_LEN", "integer", "1024", "cached names")
        .without_effect(),
    pending("name_resolver.cache_expiry", "BEYLA_NAME_RESOLVER_CACHE_TTL", "duration", "5m", "how long they count")
        .without_effect(),

    option<[](auto& d) -> auto& { return d.config.filter_application; }>(
        "filter.application", "", "only spans whose attribute matches (or does not match) a glob"),
    pending("filter.network", "", "map attribute → {match} or {not_match}", "{}", "likewise for network flows",
            is_something),
};

}  // namespace

std::span<const Option> span_options() { return kRows; }

}  // namespace waggle::config
