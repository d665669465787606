// SPDX-License-Identifier: Apache-2.0
// Attributes of the metrics that are no protocol's: of all spans, of calls between services, of connections. For
// instruments.cc only.
#pragma once

#include "metrics/instruments_get.h"

namespace waggle::metrics {

inline constexpr AttributeRow kSpan[] = {
    {"service", Shown::Default, get::service},      {"service.namespace", Shown::Default, get::service_namespace},
    {"source", Shown::Default, get::source_waggle}, {"span.kind", Shown::Default, get::span_kind},
    {"span.name", Shown::Default, get::span_name},  {"status.code", Shown::Default, get::status_code},
};
inline constexpr AttributeRow kSpanBeyla[] = {
    {"service", Shown::Default, get::service},     {"service.namespace", Shown::Default, get::service_namespace},
    {"source", Shown::Default, get::source_beyla}, {"span.kind", Shown::Default, get::span_kind},
    {"span.name", Shown::Default, get::span_name}, {"status.code", Shown::Default, get::status_code},
};
inline constexpr AttributeRow kGraph[] = {
    {"client", Shown::Default, get::graph_client},  {"client_service_namespace", Shown::Default, get::client_namespace},
    {"server", Shown::Default, get::graph_server},  {"server_service_namespace", Shown::Default, get::server_namespace},
    {"source", Shown::Default, get::source_waggle},
};
inline constexpr AttributeRow kGraphBeyla[] = {
    {"client", Shown::Default, get::beyla_client}, {"client_service_namespace", Shown::Default, get::client_namespace},
    {"server", Shown::Default, get::beyla_server}, {"server_service_namespace", Shown::Default, get::server_namespace},
    {"source", Shown::Default, get::source_beyla},
};

inline constexpr AttributeRow kTls[] = {
    {attr::waggle_role, Shown::Default, get::role},
    {attr::server_address},
    {attr::server_port},
    {attr::tls_protocol_version},
    {attr::tls_next_protocol},
    {attr::tls_resumed},
    {attr::tls_cipher, Shown::Optional},
    {attr::tls_client_server_name, Shown::Optional},
    {attr::waggle_tls_offered_protocols, Shown::Optional},
};

}  // namespace waggle::metrics
