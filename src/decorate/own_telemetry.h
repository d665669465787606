// SPDX-License-Identifier: Apache-2.0
// OwnTelemetry: services that send OpenTelemetry data themselves. From its first export that a back end took,
// a service's spans are left out of the signal it sends (discovery.exclude_otel_instrumented_services), so that
// nothing is reported twice. What was sent before stays.
#pragma once

#include <string>
#include <unordered_map>

#include "decorate/stage.h"

namespace waggle::decorate {

class OwnTelemetry final : public Stage {
  public:
    explicit OwnTelemetry(bool is_enabled) : is_enabled_(is_enabled) {}

    void apply(spans::SpanBatch& batch) override;

  private:
    // As many are remembered; beyond, all are forgotten, and known again at their next export.
    static constexpr std::size_t kMaxServices = 4096;
    static constexpr int kMaxNamed = 20;  // in the log

    struct Sends {
        bool traces = false;
        bool metrics = false;
    };

    void learn(const spans::Span& span);
    const std::string& key_of(const spans::Resource& resource);

    bool is_enabled_;
    int named_ = 0;
    std::string key_;
    std::unordered_map<std::string, Sends> services_;  // by name, namespace and instance
};

}  // namespace waggle::decorate
