// SPDX-License-Identifier: Apache-2.0
#include "agent/servers.h"

#include <cerrno>
#include <functional>
#include <utility>

#include "agent/status_page.h"
#include "base/log.h"

namespace waggle::agent {
namespace {

void add_health(http::Server& server, const std::atomic<bool>& is_ready, const std::function<std::string()>& status) {
    server.handle(kStatusPath, [status](const http::Request&) {
        return http::Response{.content_type = "application/json", .body = status()};
    });
    server.handle("/healthz", [](const http::Request&) { return http::Response{.body = "ok\n"}; });
    server.handle("/readyz", [&is_ready](const http::Request&) {
        return is_ready ? http::Response{.body = "ready\n"} : http::Response{.status = 503, .body = "not attached\n"};
    });
}

// A port that is kept for the privileged costs what it is for, unless there is nothing else.
Result<void> without_port(const Error& error, const config::Config& config, bool has_other_port) {
    const bool has_other_exporter = has_other_port || config.traces.is_enabled() || config.metrics.is_enabled() ||
                                    config.trace_printer != config::TracePrinter::Disabled;
    if (error.code != EACCES) return std::unexpected(error);
    const std::string message = error.message + "; CAP_NET_BIND_SERVICE is needed for such a port";
    if (!has_other_exporter) return fail(message, error.code);
    log::warn("{}: it is not served", message);
    return ok();
}

}  // namespace

Result<http::Server*> Servers::on(const std::string& address, std::uint16_t port) {
    const auto found = by_port_.find(port);
    if (found != by_port_.end()) return &found->second;
    http::Server server = TRY(http::Server::listen({.address = address, .port = port}));
    return &by_port_.emplace(port, std::move(server)).first->second;
}

Result<Servers> Servers::open(const config::Config& config, Pipeline& pipeline, const std::atomic<bool>& is_ready,
                              const std::function<std::string()>& status) {
    Servers servers;
    const exporters::PrometheusOptions options = exporters::prometheus_options(config);
    const config::InternalMetricsConfig& internal = config.internal_metrics;
    // Serves what add() adds, at the port of the setting.
    const auto serve = [&](const char* setting, const std::string& address, std::uint16_t port,
                           const std::function<void(http::Server&)>& add) -> Result<void> {
        auto server = servers.on(address, port);
        if (!server) return without_port(std::move(server.error()).context(setting), config, !servers.by_port_.empty());
        add(**server);
        return ok();
    };
    if (config.prometheus.is_enabled()) {
        auto done = serve(
            "prometheus_export.port", config.prometheus.address, config.prometheus.port, [&](http::Server& server) {
                add_health(server, is_ready, status);  // before the path of the setting: that one wins
                server.handle(config.prometheus.path, [&pipeline, options](const http::Request& request) {
                    return exporters::prometheus_response(pipeline.prometheus_snapshot(), request, options);
                });
            });
        if (!done) return std::unexpected(done.error());
    }
    if (config.health_port) {
        auto done = serve("health_port", {}, config.health_port,
                          [&](http::Server& server) { add_health(server, is_ready, status); });
        if (!done) return std::unexpected(done.error());
    }
    const bool is_apart = internal.port != config.prometheus.port || internal.path != config.prometheus.path;
    if (internal.exporter == "prometheus" && internal.port && is_apart) {
        auto done = serve("internal_metrics.prometheus.port", {}, internal.port, [&](http::Server& server) {
            server.handle(internal.path, [&pipeline, options](const http::Request& request) {
                return exporters::prometheus_response(pipeline.self_snapshot(), request, options);
            });
        });
        if (!done) return std::unexpected(done.error());
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
