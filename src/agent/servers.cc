// SPDX-License-Identifier: Apache-2.0
#include "agent/servers.h"

#include <utility>

#include "base/log.h"

namespace waggle::agent {
namespace {

void add_health(http::Server& server, const std::atomic<bool>& is_ready) {
    server.handle("/healthz", [](const http::Request&) { return http::Response{.body = "ok\n"}; });
    server.handle("/readyz", [&is_ready](const http::Request&) {
        return is_ready ? http::Response{.body = "ready\n"}
                        : http::Response{.status = 503, .body = "not attached\n"};
    });
}

}  // namespace

Result<http::Server*> Servers::on(const std::string& address, std::uint16_t port) {
    const auto found = by_port_.find(port);
    if (found != by_port_.end()) return &found->second;
    http::Server server = TRY(http::Server::listen({.address = address, .port = port}));
    return &by_port_.emplace(port, std::move(server)).first->second;
}

Result<Servers> Servers::open(const config::Config& config, Pipeline& pipeline,
                              const std::atomic<bool>& is_ready) {
    Servers servers;
    const exporters::PrometheusOptions options = exporters::prometheus_options(config);
    if (config.prometheus.is_enabled()) {
        auto server = servers.on(config.prometheus.address, config.prometheus.port);
        if (!server)
            return std::unexpected(std::move(server.error()).context("prometheus_export.port"));
        (*server)->handle(config.prometheus.path, [&pipeline,
                                                   options](const http::Request& request) {
            return exporters::prometheus_response(pipeline.prometheus_snapshot(), request, options);
        });
        add_health(**server, is_ready);
    }
    if (config.health_port) {
        auto server = servers.on({}, config.health_port);
        if (!server) return std::unexpected(std::move(server.error()).context("health_port"));
        add_health(**server, is_ready);
    }
    const config::InternalMetricsConfig& internal = config.internal_metrics;
    const bool is_apart =
        internal.port != config.prometheus.port || internal.path != config.prometheus.path;
    if (internal.exporter == "prometheus" && internal.port && is_apart) {
        auto server = servers.on({}, internal.port);
        if (!server)
            return std::unexpected(
                std::move(server.error()).context("internal_metrics.prometheus.port"));
        (*server)->handle(internal.path, [&pipeline, options](const http::Request& request) {
            return exporters::prometheus_response(pipeline.self_snapshot(), request, options);
        });
    }
    for (auto& [port, server] : servers.by_port_) {
        server.start();
        log::info("listening on port {}", port);
    }
    return servers;
}

void Servers::stop() {
    for (auto& [port, server] : by_port_) server.stop();
}

}  // namespace waggle::agent
