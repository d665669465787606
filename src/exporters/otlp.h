// SPDX-License-Identifier: Apache-2.0
// The OTLP exporters: over HTTP with protobuf or JSON bodies, and over gRPC.
#pragma once

#include <memory>

#include "config/config.h"
#include "exporters/exporter.h"
#include "http/client.h"
#include "metrics/instruments.h"

namespace waggle::exporters {

struct OtlpOptions {
    config::OtlpConfig target;
    metrics::Profile profile = metrics::Profile::Otel;
};

Result<std::unique_ptr<Exporter>> make_otlp_http_protobuf(OtlpOptions options);
Result<std::unique_ptr<Exporter>> make_otlp_http_json(OtlpOptions options);
Result<std::unique_ptr<Exporter>> make_otlp_grpc(OtlpOptions options);

// What all of them ask of libcurl.
http::ClientOptions client_options(const OtlpOptions& options, http::Version version);

// "otel-otlp-exporter-…" as the specification wants it, and nothing about the host.
std::string otlp_user_agent();

}  // namespace waggle::exporters
