// SPDX-License-Identifier: Apache-2.0
// Spans for tests.
#pragma once

#include <memory>
#include <string>

#include "spans/attribute_names.h"
#include "spans/span.h"

namespace waggle::spans {

inline ResourcePtr test_resource(std::string name = "shop", std::string instance = "host:1") {
    return std::make_shared<const Resource>(
        Resource{.service_name = std::move(name),
                 .service_namespace = "prod",
                 .instance_id = std::move(instance),
                 .language = "go",
                 .attributes = {{"host.id", "h1"}, {"host.name", "node"}, {"k8s.pod.name", "shop-1"}}});
}

// GET /items/* 200 in 20 ms with a request of 100 and a response of 2000 bytes.
inline Span& add_server_span(SpanBatch& batch, const ResourcePtr& resource, std::string_view route = "/items/*",
                             std::int64_t status = 200) {
    Span& span = batch.add();
    span.span_class = SpanClass::Http;
    span.kind = SpanKind::Server;
    span.protocol = "http";
    span.name = batch.text("GET " + std::string(route));
    span.status = status >= 500 ? Status::Error : Status::Unset;
    span.resource = resource;
    span.start_ns = 1'000'000'000;
    span.end_ns = 1'020'000'000;
    span.trace_id.bytes[0] = 0xab;
    span.trace_id.bytes[15] = 1;
    span.span_id.bytes[7] = 2;
    span.attributes.add(attr::http_request_method, "GET");
    span.attributes.add(attr::http_response_status_code, status);
    span.attributes.add(attr::http_route, batch.text(route));
    span.attributes.add(attr::url_path, "/items/7");
    span.attributes.add(attr::url_scheme, "http");
    span.attributes.add(attr::network_protocol_version, "1.1");
    span.attributes.add(attr::server_address, "10.0.0.1");
    span.attributes.add(attr::server_port, std::int64_t{8080});
    span.attributes.add(attr::client_address, "10.0.0.2");
    span.attributes.add(attr::http_request_body_size, std::int64_t{100});
    span.attributes.add(attr::http_response_body_size, std::int64_t{2000});
    return span;
}

}  // namespace waggle::spans
