// SPDX-License-Identifier: Apache-2.0
// Attribute names of the OpenTelemetry semantic conventions (1.3x), plus Waggle's own under "waggle.".
#pragma once

#include <string_view>

namespace waggle::attr {

inline constexpr std::string_view http_request_method = "http.request.method";
inline constexpr std::string_view http_request_method_original = "http.request.method_original";
inline constexpr std::string_view http_response_status_code = "http.response.status_code";
inline constexpr std::string_view http_request_body_size = "http.request.body.size";
inline constexpr std::string_view http_response_body_size = "http.response.body.size";
inline constexpr std::string_view http_route = "http.route";
inline constexpr std::string_view url_path = "url.path";
inline constexpr std::string_view url_query = "url.query";
inline constexpr std::string_view url_full = "url.full";
inline constexpr std::string_view url_scheme = "url.scheme";
inline constexpr std::string_view error_type = "error.type";
inline constexpr std::string_view user_agent_original = "user_agent.original";
inline constexpr std::string_view rpc_system_name = "rpc.system.name";
inline constexpr std::string_view rpc_method = "rpc.method";
inline constexpr std::string_view rpc_response_status_code = "rpc.response.status_code";
inline constexpr std::string_view server_address = "server.address";
inline constexpr std::string_view server_port = "server.port";
inline constexpr std::string_view client_address = "client.address";
inline constexpr std::string_view client_port = "client.port";
inline constexpr std::string_view network_peer_address = "network.peer.address";
inline constexpr std::string_view network_peer_port = "network.peer.port";
inline constexpr std::string_view network_local_address = "network.local.address";
inline constexpr std::string_view network_local_port = "network.local.port";
inline constexpr std::string_view network_protocol_name = "network.protocol.name";
inline constexpr std::string_view network_protocol_version = "network.protocol.version";
inline constexpr std::string_view network_transport = "network.transport";
inline constexpr std::string_view network_type = "network.type";
inline constexpr std::string_view db_system_name = "db.system.name";
inline constexpr std::string_view db_namespace = "db.namespace";
inline constexpr std::string_view db_operation_name = "db.operation.name";
inline constexpr std::string_view db_operation_batch_size = "db.operation.batch.size";
inline constexpr std::string_view db_collection_name = "db.collection.name";
inline constexpr std::string_view db_query_summary = "db.query.summary";
inline constexpr std::string_view db_query_text = "db.query.text";
inline constexpr std::string_view db_response_status_code = "db.response.status_code";
inline constexpr std::string_view db_response_returned_rows = "db.response.returned_rows";
inline constexpr std::string_view messaging_system = "messaging.system";
inline constexpr std::string_view messaging_operation_name = "messaging.operation.name";
inline constexpr std::string_view messaging_operation_type = "messaging.operation.type";
inline constexpr std::string_view messaging_destination_name = "messaging.destination.name";
inline constexpr std::string_view messaging_destination_partition_id = "messaging.destination.partition.id";
inline constexpr std::string_view messaging_client_id = "messaging.client.id";
inline constexpr std::string_view messaging_consumer_group_name = "messaging.consumer.group.name";
inline constexpr std::string_view messaging_batch_message_count = "messaging.batch.message_count";
inline constexpr std::string_view messaging_kafka_offset = "messaging.kafka.offset";
inline constexpr std::string_view graphql_operation_name = "graphql.operation.name";
inline constexpr std::string_view graphql_operation_type = "graphql.operation.type";
inline constexpr std::string_view jsonrpc_protocol_version = "jsonrpc.protocol.version";
inline constexpr std::string_view jsonrpc_request_id = "jsonrpc.request.id";
inline constexpr std::string_view dns_question_name = "dns.question.name";
inline constexpr std::string_view messaging_rabbitmq_destination_routing_key =
    "messaging.rabbitmq.destination.routing_key";
inline constexpr std::string_view tls_protocol_name = "tls.protocol.name";
inline constexpr std::string_view tls_protocol_version = "tls.protocol.version";
inline constexpr std::string_view tls_cipher = "tls.cipher";
inline constexpr std::string_view tls_next_protocol = "tls.next_protocol";
inline constexpr std::string_view tls_resumed = "tls.resumed";
inline constexpr std::string_view tls_client_server_name = "tls.client.server_name";

// Resource attributes.
inline constexpr std::string_view service_name = "service.name";
inline constexpr std::string_view service_namespace = "service.namespace";
inline constexpr std::string_view service_instance_id = "service.instance.id";
inline constexpr std::string_view telemetry_sdk_language = "telemetry.sdk.language";
inline constexpr std::string_view telemetry_sdk_name = "telemetry.sdk.name";
inline constexpr std::string_view telemetry_sdk_version = "telemetry.sdk.version";
inline constexpr std::string_view host_name = "host.name";
inline constexpr std::string_view host_id = "host.id";
inline constexpr std::string_view host_arch = "host.arch";
inline constexpr std::string_view os_type = "os.type";
inline constexpr std::string_view container_id = "container.id";
inline constexpr std::string_view container_name = "container.name";
inline constexpr std::string_view k8s_pod_uid = "k8s.pod.uid";
inline constexpr std::string_view process_pid = "process.pid";
inline constexpr std::string_view process_command = "process.command";
inline constexpr std::string_view process_executable_name = "process.executable.name";
inline constexpr std::string_view process_executable_path = "process.executable.path";
inline constexpr std::string_view process_owner = "process.owner";
inline constexpr std::string_view process_runtime_name = "process.runtime.name";

// Waggle's own: how sure a span is.
inline constexpr std::string_view waggle_incomplete = "waggle.incomplete";  // why a span is not whole
inline constexpr std::string_view waggle_unknown = "waggle.unknown";        // attributes that nobody can know, by name
inline constexpr std::string_view waggle_parent = "waggle.parent";          // how the parent was found
inline constexpr std::string_view waggle_role = "waggle.role";              // "unknown" when it is
inline constexpr std::string_view waggle_ttfb = "waggle.time_to_first_byte";              // s
inline constexpr std::string_view waggle_dns_response_code = "waggle.dns.response_code";  // NXDOMAIN, …
inline constexpr std::string_view waggle_dns_truncated = "waggle.dns.truncated";          // the answer did not fit
inline constexpr std::string_view waggle_dns_retries = "waggle.dns.retries";  // how often it was asked again
inline constexpr std::string_view waggle_queue_time = "waggle.queue_time";    // s
// Of a connection whose bytes nobody can read, for metrics.
inline constexpr std::string_view waggle_tls_offered_protocols =
    "waggle.tls.offered_protocols";                                             // the client's, by commas
inline constexpr std::string_view waggle_tls_sent = "waggle.tls.sent";          // By
inline constexpr std::string_view waggle_tls_received = "waggle.tls.received";  // By

}  // namespace waggle::attr
