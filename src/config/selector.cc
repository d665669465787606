// SPDX-License-Identifier: Apache-2.0
#include "config/selector.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "config/codecs.h"

namespace waggle::config {
namespace {

// What an entry holds while it is being read.
struct Draft : SelectorConfig {
    std::optional<std::string> exe_path_regexp;  // deprecated: counts only without exe_path
};

template <auto Get, typename C = void>
constexpr Field<Draft> field(std::string_view key, std::string_view help) {
    return make_field<Draft, Get, C>(key, "", help);
}

// Reads "k8s_…: regex" into the map kept for the Kubernetes stage.
constexpr Field<Draft> kubernetes(std::string_view key, std::string_view help) {
    return {.key = key, .type = AsRegex::kType, .help = help};
}

constexpr std::array kFields{
    field<[](auto& s) -> auto& { return s.name; }>("name", "`service.name` of what matches; selects nothing by itself"),
    field<[](auto& s) -> auto& { return s.service_namespace; }>(
        "namespace", "`service.namespace` of what matches; selects nothing by itself"),
    field<[](auto& s) -> auto& { return s.open_ports; }>("open_ports",
                                                         "a local port of the process, e.g. `80,443,8000-8999`"),
    field<[](auto& s) -> auto& { return s.exe_path; }, AsRegex>("exe_path", "found anywhere in the executable's path"),
    field<[](auto& s) -> auto& { return s.exe_path_regexp; }, AsRegex>("exe_path_regexp",
                                                                       "deprecated name of `exe_path`, which wins"),
    field<[](auto& s) -> auto& { return s.exe_glob; }>(
        "exe_glob", "Waggle: glob over the executable's whole path (`*` `?` `[a-z]` `{a,b}`)"),
    field<[](auto& s) -> auto& { return s.cmd_args; }, AsRegex>(
        "cmd_args", "Waggle: found anywhere in the command line, arguments joined by a blank"),
    field<[](auto& s) -> auto& { return s.cmd_glob; }>("cmd_glob", "Waggle: glob over the whole command line"),
    field<[](auto& s) -> auto& { return s.pids; }>("pids", "Waggle: these process ids"),
    field<[](auto& s) -> auto& { return s.is_any_listener; }>(
        "any_listener", "Waggle: every process with a listening TCP or UNIX socket"),
    field<[](auto& s) -> auto& { return s.children; }>("children",
                                                       "Waggle: are children of a match selected too? Default: yes"),
    kubernetes("k8s_namespace", "namespace of the pod"),
    kubernetes("k8s_pod_name", "name of the pod"),
    kubernetes("k8s_deployment_name", "name of the pod's Deployment"),
    kubernetes("k8s_replicaset_name", "name of the pod's ReplicaSet"),
    kubernetes("k8s_daemonset_name", "name of the pod's DaemonSet"),
    kubernetes("k8s_statefulset_name", "name of the pod's StatefulSet"),
    kubernetes("k8s_owner_name", "name of the pod's top owner"),
};
constexpr std::string_view kPodLabels = "k8s_pod_labels";
constexpr SelectorKey kPodLabelsKey{kPodLabels, "map label → regular expression",
                                    "each label must be on the pod and match"};

void read_pod_labels(const Node& node, Draft& draft, Reader& reader) {
    if (!node.is_map()) return reader.error(node, "must be a map from label to regular expression");
    for (const Node::Entry& label : node.entries) {
        Reader at = reader.at(label.key);
        std::optional<std::string> regex;
        read_regex(label.value, regex, at);
        if (regex) draft.k8s[fmt::format("{}.{}", kPodLabels, label.key)] = *regex;
    }
}

void read_key(const Node::Entry& entry, Draft& draft, Reader& reader) {
    Reader at = reader.at(entry.key);
    if (entry.value.is_null()) return;
    if (entry.key.starts_with("k8s_"))
        reader.warn(entry.line, fmt::format("{}: accepted, has no effect yet: nothing matches this entry", entry.key));
    if (entry.key == kPodLabels) return read_pod_labels(entry.value, draft, at);
    const auto found = std::ranges::find(kFields, entry.key, &Field<Draft>::key);
    if (found == kFields.end()) return;
    if (!found->is_pending()) return found->read(entry.value, draft, at);
    std::optional<std::string> regex;
    read_regex(entry.value, regex, at);
    if (regex) draft.k8s[entry.key] = *regex;
}

void reject_unknown_keys(const Node& node, Reader& reader) {
    std::vector<std::string_view> known{kPodLabels};
    for (const Field<Draft>& field : kFields) known.push_back(field.key);
    for (const Node::Entry& entry : node.entries) {
        if (std::ranges::find(known, entry.key) != known.end()) continue;
        const std::string_view meant = nearest(entry.key, known);
        reader.error({.line = entry.line}, fmt::format("unknown selector {}{}", quote(entry.key),
                                                       meant.empty() ? "" : fmt::format("; did you mean {}?", meant)));
    }
}

std::optional<SelectorConfig> read_selector(const Node& node, Reader& reader) {
    if (!node.is_map()) {
        reader.error(node, "must be a map, for example {open_ports: 8080}");
        return std::nullopt;
    }
    const size_t errors_before = reader.error_count();
    Draft draft;
    for (const Node::Entry& entry : node.entries) read_key(entry, draft, reader);
    reject_unknown_keys(node, reader);
    if (!draft.exe_path) draft.exe_path = draft.exe_path_regexp;
    if (reader.error_count() == errors_before && !selects(draft))
        reader.error(node, "selects nothing: give open_ports, exe_path or another selector");
    return draft;
}

std::string print_selector(const SelectorConfig& selector) {
    const Draft empty;
    Draft draft;
    static_cast<SelectorConfig&>(draft) = selector;
    std::string text;
    const auto add = [&](std::string_view key, std::string_view value) {
        text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", key, value);
    };
    for (const Field<Draft>& field : kFields) {
        if (field.is_pending()) continue;
        if (const std::string value = field.print(draft); value != field.print(empty)) add(field.key, value);
    }
    std::string labels;
    for (const auto& [key, regex] : selector.k8s) {
        if (!key.starts_with(kPodLabels)) {
            add(key, quote(regex));
            continue;
        }
        labels += fmt::format("{}{}: {}", labels.empty() ? "" : ", ",
                              quote(std::string_view(key).substr(kPodLabels.size() + 1)), quote(regex));
    }
    if (!labels.empty()) add(kPodLabels, '{' + labels + '}');
    return '{' + text + '}';
}

}  // namespace

std::span<const SelectorKey> selector_keys() {
    static const std::vector<SelectorKey> keys = [] {
        std::vector<SelectorKey> all;
        for (const Field<Draft>& field : kFields) all.push_back({field.key, field.type, field.help});
        all.push_back(kPodLabelsKey);
        return all;
    }();
    return keys;
}

bool selects(const SelectorConfig& selector) {
    return !selector.open_ports.is_empty() || selector.exe_path || selector.exe_glob || selector.cmd_args ||
           selector.cmd_glob || !selector.pids.empty() || selector.is_any_listener || !selector.k8s.empty();
}

void Codec<std::vector<SelectorConfig>>::read(const Node& node, std::vector<SelectorConfig>& value, Reader& reader) {
    if (!node.is_list()) return reader.error(node, "must be a list of selectors");
    value.clear();
    for (size_t i = 0; i < node.items.size(); ++i) {
        Reader at = reader.at(fmt::format("[{}]", i));
        if (std::optional<SelectorConfig> selector = read_selector(node.items[i], at))
            value.push_back(std::move(*selector));
    }
}

std::string Codec<std::vector<SelectorConfig>>::print(const std::vector<SelectorConfig>& value) {
    std::string text;
    for (const SelectorConfig& selector : value) text += (text.empty() ? "" : ", ") + print_selector(selector);
    return '[' + text + ']';
}

}  // namespace waggle::config
