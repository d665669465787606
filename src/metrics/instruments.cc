// SPDX-License-Identifier: Apache-2.0
#include "metrics/instruments.h"

#include <algorithm>
#include <iterator>

#include "metrics/instruments_get.h"
#include "spans/attribute_names.h"

namespace waggle::metrics {
namespace {

constexpr double kSecondsOtel[] = {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25,
                                   0.5,   0.75, 1,     2.5,  5,     7.5, 10};
constexpr double kSecondsBeyla[] = {0,   0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25,
                                    0.5, 0.75,  1,    2.5,   5,    7.5,   10};
constexpr double kSecondsDb[] = {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10};
constexpr double kBytesOtel[] = {0,     64,     256,     1024,    4096,     16384,
                                 65536, 262144, 1048576, 4194304, 16777216, 67108864};
constexpr double kBytesBeyla[] = {0, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192};

constexpr AttributeRow kHttpServer[] = {
    {attr::http_request_method},
    {attr::url_scheme},
    {attr::error_type},
    {attr::http_response_status_code, Shown::Default, get::http_status},
    {attr::http_route},
    {attr::network_protocol_version},
    {attr::network_protocol_name, Shown::Optional},
    {attr::server_address, Shown::Optional},
    {attr::server_port, Shown::Optional},
    {attr::client_address, Shown::Optional},
    {attr::url_path, Shown::Optional},
};
constexpr AttributeRow kHttpClient[] = {
    {attr::http_request_method},
    {attr::server_address},
    {attr::server_port},
    {attr::error_type},
    {attr::http_response_status_code, Shown::Default, get::http_status},
    {attr::network_protocol_version},
    {attr::network_protocol_name, Shown::Optional},
    {attr::http_route, Shown::Optional},
    {attr::url_scheme, Shown::Optional},
    {attr::url_path, Shown::Optional},
};
constexpr AttributeRow kHttpActive[] = {
    {attr::http_request_method},
    {attr::url_scheme},
};
constexpr AttributeRow kHttpServerBeyla[] = {
    {attr::http_request_method},
    {attr::http_response_status_code, Shown::Default, get::http_status},
    {attr::http_route},
    {attr::server_address},
    {attr::server_port},
    {attr::client_address, Shown::Optional},
    {attr::url_path, Shown::Optional},
};
constexpr AttributeRow kHttpClientBeyla[] = {
    {attr::http_request_method},
    {attr::http_response_status_code, Shown::Default, get::http_status},
    {attr::http_route},
    {attr::server_address},
    {attr::server_port},
    {attr::url_path, Shown::Optional},
};
constexpr AttributeRow kRpcServer[] = {
    {attr::rpc_system_name},
    {attr::rpc_method},
    {attr::rpc_response_status_code},
    {attr::error_type},
    {attr::server_address, Shown::Optional},
    {attr::server_port, Shown::Optional},
    {attr::client_address, Shown::Optional},
};
constexpr AttributeRow kRpcClient[] = {
    {attr::rpc_system_name},
    {attr::rpc_method},
    {attr::rpc_response_status_code},
    {attr::error_type},
    {attr::server_address},
    {attr::server_port},
};
constexpr AttributeRow kRpcServerBeyla[] = {
    {"rpc.method", Shown::Default, get::beyla_rpc_method},
    {"rpc.system", Shown::Default, get::beyla_rpc_system},
    {"rpc.grpc.status_code", Shown::Default, get::beyla_rpc_code},
    {attr::server_address},
    {attr::server_port},
    {attr::client_address, Shown::Optional},
};
constexpr AttributeRow kRpcClientBeyla[] = {
    {"rpc.method", Shown::Default, get::beyla_rpc_method},
    {"rpc.system", Shown::Default, get::beyla_rpc_system},
    {"rpc.grpc.status_code", Shown::Default, get::beyla_rpc_code},
    {attr::server_address},
};
constexpr AttributeRow kDbClient[] = {
    {attr::db_system_name},
    {attr::db_collection_name},
    {attr::db_namespace},
    {attr::db_operation_name},
    {attr::db_response_status_code},
    {attr::error_type},
    {attr::server_address},
    {attr::server_port},
    {attr::db_query_summary, Shown::Optional},
    {attr::network_peer_address, Shown::Optional},
    {attr::network_peer_port, Shown::Optional},
    {attr::db_query_text, Shown::Optional},
};
constexpr AttributeRow kDbClientBeyla[] = {
    {attr::db_operation_name},
    {attr::db_system_name},
    {attr::error_type, Shown::Default, get::beyla_error},
};
constexpr AttributeRow kSpan[] = {
    {"service", Shown::Default, get::service},
    {"service.namespace", Shown::Default, get::service_namespace},
    {"source", Shown::Default, get::source_waggle},
    {"span.kind", Shown::Default, get::span_kind},
    {"span.name", Shown::Default, get::span_name},
    {"status.code", Shown::Default, get::status_code},
};
constexpr AttributeRow kSpanBeyla[] = {
    {"service", Shown::Default, get::service},
    {"service.namespace", Shown::Default, get::service_namespace},
    {"source", Shown::Default, get::source_beyla},
    {"span.kind", Shown::Default, get::span_kind},
    {"span.name", Shown::Default, get::span_name},
    {"status.code", Shown::Default, get::status_code},
};
constexpr AttributeRow kGraph[] = {
    {"client", Shown::Default, get::graph_client},
    {"client_service_namespace", Shown::Default, get::client_namespace},
    {"server", Shown::Default, get::graph_server},
    {"server_service_namespace", Shown::Default, get::server_namespace},
    {"source", Shown::Default, get::source_waggle},
};
constexpr AttributeRow kGraphBeyla[] = {
    {"client", Shown::Default, get::beyla_client},
    {"client_service_namespace", Shown::Default, get::client_namespace},
    {"server", Shown::Default, get::beyla_server},
    {"server_service_namespace", Shown::Default, get::server_namespace},
    {"source", Shown::Default, get::source_beyla},
};

constexpr std::string_view kApplication = "application";
constexpr std::string_view kSpans = "application_span";
constexpr std::string_view kServiceGraph = "application_service_graph";

constexpr Instrument kInstruments[] = {
    {.feature = kApplication,
     .instrumentation = "http",
     .when = when::http_server,
     .value = value::seconds,
     .bounds_kind = BoundsKind::Duration,
     .otel = {"http.server.request.duration", "s", kHttpServer, kSecondsOtel},
     .beyla = {"http.server.request.duration", "s", kHttpServerBeyla, kSecondsBeyla},
     .description = "Duration of HTTP server requests."},
    {.feature = kApplication,
     .instrumentation = "http",
     .when = when::http_client,
     .value = value::seconds,
     .bounds_kind = BoundsKind::Duration,
     .otel = {"http.client.request.duration", "s", kHttpClient, kSecondsOtel},
     .beyla = {"http.client.request.duration", "s", kHttpClientBeyla, kSecondsBeyla},
     .description = "Duration of HTTP client requests."},
    {.feature = kApplication,
     .instrumentation = "http",
     .when = when::http_server,
     .value = value::request_size,
     .bounds_kind = BoundsKind::Size,
     .otel = {"http.server.request.body.size", "By", kHttpServer, kBytesOtel},
     .beyla = {"http.server.request.body.size", "By", kHttpServerBeyla, kBytesBeyla},
     .description = "Size of HTTP server request bodies."},
    {.feature = kApplication,
     .instrumentation = "http",
     .when = when::http_client,
     .value = value::request_size,
     .bounds_kind = BoundsKind::Size,
     .otel = {"http.client.request.body.size", "By", kHttpClient, kBytesOtel},
     .beyla = {"http.client.request.body.size", "By", kHttpClientBeyla, kBytesBeyla},
     .description = "Size of HTTP client request bodies."},
    {.feature = kApplication,
     .instrumentation = "http",
     .when = when::http_server,
     .value = value::response_size,
     .bounds_kind = BoundsKind::Size,
     .otel = {"http.server.response.body.size", "By", kHttpServer, kBytesOtel},
     .description = "Size of HTTP server response bodies."},
    {.feature = kApplication,
     .instrumentation = "http",
     .when = when::http_client,
     .value = value::response_size,
     .bounds_kind = BoundsKind::Size,
     .otel = {"http.client.response.body.size", "By", kHttpClient, kBytesOtel},
     .description = "Size of HTTP client response bodies."},
    {.feature = kApplication,
     .instrumentation = "http",
     .when = when::http_server,
     .value = value::queue_seconds,
     .bounds_kind = BoundsKind::Duration,
     .otel = {"waggle.http.server.queue.duration", "s", kHttpServer, kSecondsOtel},
     .description = "How long HTTP server requests had arrived before the program read them (ebpf.queue_time)."},
    {.kind = Kind::UpDownCounter,
     .feature = kApplication,
     .instrumentation = "http",
     .is_integer = true,
     .otel = {"http.server.active_requests", "{request}", kHttpActive},
     .description = "HTTP server requests that have begun and not ended."},
    {.feature = kApplication,
     .instrumentation = "grpc",
     .when = when::rpc_server,
     .value = value::seconds,
     .bounds_kind = BoundsKind::Duration,
     .otel = {"rpc.server.call.duration", "s", kRpcServer, kSecondsOtel},
     .beyla = {"rpc.server.duration", "s", kRpcServerBeyla, kSecondsBeyla},
     .description = "Duration of RPC calls that a server answered."},
    {.feature = kApplication,
     .instrumentation = "grpc",
     .when = when::rpc_client,
     .value = value::seconds,
     .bounds_kind = BoundsKind::Duration,
     .otel = {"rpc.client.call.duration", "s", kRpcClient, kSecondsOtel},
     .beyla = {"rpc.client.duration", "s", kRpcClientBeyla, kSecondsBeyla},
     .description = "Duration of RPC calls that a client made."},
    {.feature = kApplication,
     .instrumentation = "sql,redis,memcached",
     .when = when::db_client,
     .value = value::seconds,
     .bounds_kind = BoundsKind::Duration,
     .otel = {"db.client.operation.duration", "s", kDbClient, kSecondsDb},
     .beyla = {"db.client.operation.duration", "s", kDbClientBeyla, kSecondsBeyla},
     .description = "Duration of calls to databases, as their clients saw it."},
    {.feature = kSpans,
     .when = when::any,
     .value = value::seconds,
     .is_selectable = false,
     .bounds_kind = BoundsKind::Duration,
     .otel = {"traces_spanmetrics_latency", "", kSpan, kSecondsOtel},
     .beyla = {"traces_spanmetrics_latency", "", kSpanBeyla, kSecondsBeyla},
     .description = "Duration of spans in seconds."},
    {.kind = Kind::Counter,
     .feature = kSpans,
     .when = when::any,
     .value = value::one,
     .is_integer = true,
     .is_selectable = false,
     .otel = {"traces_spanmetrics_calls_total", "", kSpan},
     .beyla = {"traces_spanmetrics_calls_total", "", kSpanBeyla},
     .description = "Number of spans."},
    {.kind = Kind::Counter,
     .feature = kSpans,
     .when = when::any,
     .value = value::request_size,
     .is_selectable = false,
     .otel = {"traces_spanmetrics_size_total", "", kSpan},
     .beyla = {"traces_spanmetrics_size_total", "", kSpanBeyla},
     .description = "Bytes of the requests of spans."},
    {.feature = kServiceGraph,
     .when = when::client,
     .value = value::seconds,
     .is_selectable = false,
     .bounds_kind = BoundsKind::Duration,
     .otel = {"traces_service_graph_request_client", "s", kGraph, kSecondsOtel},
     .beyla = {"traces_service_graph_request_client", "s", kGraphBeyla, kSecondsBeyla},
     .description = "Duration of calls between two services as the client saw it."},
    {.feature = kServiceGraph,
     .when = when::server,
     .value = value::seconds,
     .is_selectable = false,
     .bounds_kind = BoundsKind::Duration,
     .otel = {"traces_service_graph_request_server", "s", kGraph, kSecondsOtel},
     .beyla = {"traces_service_graph_request_server", "s", kGraphBeyla, kSecondsBeyla},
     .description = "Duration of calls between two services as the server saw it."},
    {.kind = Kind::Counter,
     .feature = kServiceGraph,
     .when = when::call,
     .value = value::one,
     .is_integer = true,
     .is_selectable = false,
     .otel = {"traces_service_graph_request_total", "", kGraph},
     .beyla = {"traces_service_graph_request_total", "", kGraphBeyla},
     .description = "Number of calls between two services."},
    {.kind = Kind::Counter,
     .feature = kServiceGraph,
     .when = when::failed_call,
     .value = value::one,
     .is_integer = true,
     .is_selectable = false,
     .otel = {"traces_service_graph_request_failed_total", "", kGraph},
     .beyla = {"traces_service_graph_request_failed_total", "", kGraphBeyla},
     .description = "Number of failed calls between two services."},
};

}  // namespace

std::span<const Instrument> instruments() { return kInstruments; }

}  // namespace waggle::metrics
