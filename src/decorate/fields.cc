// SPDX-License-Identifier: Apache-2.0
#include "decorate/fields.h"

#include <charconv>

#include "spans/attribute_names.h"
#include "spans/certainty.h"

namespace waggle::decorate {
namespace {

using spans::Span;
using spans::SpanKind;

bool is_client(const Span& span) { return span.kind == SpanKind::Client || span.kind == SpanKind::Producer; }

std::string_view service(const Span& span, FieldText&) {
    return span.resource ? std::string_view(span.resource->service_name) : "";
}
std::string_view service_namespace(const Span& span, FieldText&) {
    return span.resource ? std::string_view(span.resource->service_namespace) : "";
}
std::string_view instance_id(const Span& span, FieldText&) {
    return span.resource ? std::string_view(span.resource->instance_id) : "";
}
std::string_view language(const Span& span, FieldText&) {
    return span.resource ? std::string_view(span.resource->language) : "";
}
std::string_view client(const Span& span, FieldText& storage) {
    return is_client(span) ? service(span, storage) : span.attributes.text(attr::client_address);
}
std::string_view server(const Span& span, FieldText& storage) {
    return is_client(span) ? span.attributes.text(attr::server_address) : service(span, storage);
}
std::string_view client_namespace(const Span& span, FieldText& storage) {
    return is_client(span) ? service_namespace(span, storage) : "";
}
std::string_view server_namespace(const Span& span, FieldText& storage) {
    return is_client(span) ? "" : service_namespace(span, storage);
}
std::string_view source(const Span&, FieldText&) { return "waggle"; }
std::string_view span_name(const Span& span, FieldText&) { return span.name; }
std::string_view span_kind(const Span& span, FieldText&) {
    constexpr std::string_view kNames[] = {"SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT",
                                           "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER"};
    return kNames[static_cast<size_t>(span.kind)];
}
std::string_view status_code(const Span& span, FieldText&) {
    return span.status == spans::Status::Error ? "STATUS_CODE_ERROR" : "STATUS_CODE_UNSET";
}

std::string_view incomplete(const Span& span, FieldText&) { return spans::incomplete_name(span.incomplete); }
std::string_view parent(const Span& span, FieldText&) { return spans::parent_name(span.parent_source); }
std::string_view role(const Span& span, FieldText&) { return spans::role_name(span.has_unknown_role); }

constexpr Field kFields[] = {
    {"client", client},
    {"client.service.namespace", client_namespace},
    {"server", server},
    {"server.service.namespace", server_namespace},
    {"service", service},
    {"service.instance.id", instance_id},
    {"service.name", service},
    {"service.namespace", service_namespace},
    {"source", source},
    {"span.kind", span_kind},
    {"span.name", span_name},
    {"status.code", status_code},
    {"telemetry.sdk.language", language},
    {attr::client_address},
    {attr::client_port},
    {attr::container_id},
    {attr::container_name},
    {attr::error_type},
    {attr::host_arch},
    {attr::host_id},
    {attr::host_name},
    {attr::http_request_body_size},
    {attr::http_request_method},
    {attr::http_request_method_original},
    {attr::http_response_body_size},
    {attr::http_response_status_code},
    {attr::http_route},
    {attr::network_local_address},
    {attr::network_local_port},
    {attr::network_peer_address},
    {attr::network_peer_port},
    {attr::network_protocol_name},
    {attr::network_protocol_version},
    {attr::network_transport},
    {attr::network_type},
    {attr::os_type},
    {attr::process_command},
    {attr::process_executable_name},
    {attr::process_executable_path},
    {attr::process_owner},
    {attr::process_pid},
    {attr::process_runtime_name},
    {attr::server_address},
    {attr::server_port},
    {attr::url_full},
    {attr::url_path},
    {attr::url_query},
    {attr::url_scheme},
    {attr::user_agent_original},
    {attr::waggle_incomplete, incomplete},
    {attr::waggle_parent, parent},
    {attr::waggle_role, role},
    // Of protocols and decorators to come, and of Beyla's tables.
    {"db.collection.name"},
    {"db.operation.name"},
    {"db.query.text"},
    {"db.system.name"},
    {"k8s.cluster.name"},
    {"k8s.container.name"},
    {"k8s.cronjob.name"},
    {"k8s.daemonset.name"},
    {"k8s.deployment.name"},
    {"k8s.job.name"},
    {"k8s.namespace.name"},
    {"k8s.node.name"},
    {"k8s.owner.name"},
    {"k8s.pod.name"},
    {"k8s.pod.start.time"},
    {"k8s.pod.uid"},
    {"k8s.replicaset.name"},
    {"k8s.statefulset.name"},
    {"messaging.destination.name"},
    {"messaging.operation.type"},
    {"messaging.system"},
    {"rpc.grpc.status.code"},
    {"rpc.method"},
    {"rpc.service"},
    {"rpc.system"},
};

constexpr char as_dot(char c) { return c == '_' ? '.' : c; }

bool is_same_name(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); ++i)
        if (as_dot(a[i]) != as_dot(b[i])) return false;
    return true;
}

std::string_view text_of(const spans::Value& value, FieldText& storage) {
    if (const auto* text = std::get_if<std::string_view>(&value)) return *text;
    if (const auto* is_true = std::get_if<bool>(&value)) return *is_true ? "true" : "false";
    char* const end = storage.data() + storage.size();
    const auto* number = std::get_if<std::int64_t>(&value);
    const std::to_chars_result written = number ? std::to_chars(storage.data(), end, *number)
                                                : std::to_chars(storage.data(), end, std::get<double>(value));
    if (written.ec != std::errc{}) return {};
    return {storage.data(), written.ptr};
}

}  // namespace

const Field* find_field(std::string_view name) {
    for (const Field& field : kFields)
        if (is_same_name(field.name, name)) return &field;
    return nullptr;
}

std::string_view field_of(const Span& span, const Field& field, FieldText& storage) {
    if (field.get != nullptr) return field.get(span, storage);
    for (const spans::Attribute& attribute : span.attributes)
        if (is_same_name(attribute.key, field.name)) return text_of(attribute.value, storage);
    if (!span.resource) return {};
    for (const auto& [key, value] : span.resource->attributes)
        if (is_same_name(key, field.name)) return value;
    return {};
}

}  // namespace waggle::decorate
