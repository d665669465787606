// SPDX-License-Identifier: Apache-2.0
// Resource: who a span or metric is about (one service instance), as OpenTelemetry resource
// attributes. Built by discovery, shared read-only by every span of the service.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace waggle::spans {

struct Resource {
    std::string service_name;
    std::string service_namespace;  // empty: none
    std::string instance_id;
    std::string language;  // telemetry.sdk.language: go, java, python, nodejs, ruby, php, rust, dotnet, cpp, generic …
    // All other resource attributes (host.*, process.*, container.id …), dotted names, sorted by key.
    std::vector<std::pair<std::string, std::string>> attributes;

    friend bool operator==(const Resource&, const Resource&) = default;
};

using ResourcePtr = std::shared_ptr<const Resource>;

}  // namespace waggle::spans
