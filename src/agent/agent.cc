// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <poll.h>

#include <algorithm>
#include <cstdio>
#include <random>
#include <thread>

#include "agent/console.h"
#include "agent/discovery.h"
#include "agent/notify.h"
#include "agent/pipeline.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/load.h"
#include "http/server.h"
#include "sensors/capture.h"

namespace waggle::agent {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBatchesWaiting = 128;

std::uint32_t ring_count(const config::Config& config) {
    if (config.ebpf.rings) return config.ebpf.rings;
    return std::min(4u, static_cast<std::uint32_t>(sensors::possible_cpus()) / 8 + 1);
}

protocols::TrackerConfig tracker_config(const config::Config& config, const Discovery& discovery) {
    const auto ns = [](config::Duration duration) { return static_cast<std::uint64_t>(std::max<std::int64_t>(0, duration.count())); };
    protocols::TrackerConfig tracker;
    if (config.ebpf.is_http_request_timeout_set)
        tracker.options.http_request_timeout_ns = ns(config.ebpf.http_request_timeout);
    tracker.options.max_exchange_age_ns = ns(config.ebpf.max_exchange_age);
    tracker.options.sensitive_query_params = config.sensitive_query_params;
    tracker.options.wants_traces =
        config.traces.is_enabled() || config.trace_printer != config::TracePrinter::Disabled;
    tracker.max_connections = config.ebpf.max_connections;
    tracker.seed = std::random_device{}() | std::uint64_t{std::random_device{}()} << 32;
    // Goroutines move between threads, and an event loop's thread works on many requests: there the
    // thread says nothing certain (several open requests become links, not parents).
    tracker.threads_are_contexts = [&discovery](std::uint32_t pid) {
        const auto table = discovery.table();
        const discover::Target* target = table ? table->find(pid) : nullptr;
        return target && target->language != "go" && target->language != "erlang";
    };
    return tracker;
}

// What a watched process is called; empty: not known.
std::function<std::string(std::uint32_t)> service_source(const Discovery& discovery) {
    return [&discovery](std::uint32_t pid) {
        const auto table = discovery.table();
        const discover::Target* target = table ? table->find(pid) : nullptr;
        return target ? target->resource->service_name : std::string();
    };
}

// The kernel's own counters, as self metrics.
class KernelCounters {
  public:
    KernelCounters(const sensors::Capture& capture, metrics::SelfMetrics& self) : capture_(capture) {
        const auto lost = [&](std::string_view cause) -> metrics::SelfValue* {
            return &self.counter("waggle.events.lost", {{"cause", std::string(cause)}});
        };
        by_counter_.resize(WG_COUNTERS + 1);
        by_counter_[WG_COUNT_EVENTS] = &self.counter("waggle.events.emitted");
        by_counter_[WG_COUNT_RING_FULL] = lost("ring_full");
        by_counter_[WG_COUNT_RING_FULL_BYTES] = &self.counter("waggle.capture.lost", {{"cause", "ring_full"}}, "By");
        by_counter_[WG_COUNT_RING_FULL_CONNECTION] = lost("ring_full_connection");
        by_counter_[WG_COUNT_RING_FULL_PROCESS] = lost("ring_full_process");
        by_counter_[WG_COUNT_STORAGE_FAILED] = lost("socket_storage");
        by_counter_[WG_COUNT_READ_FAILED] = &self.counter("waggle.capture.read_failed");
        by_counter_[WG_COUNT_UNREADABLE] = &self.counter("waggle.capture.unreadable");
        by_counter_[WG_COUNT_STALE] = lost("agent_stopped");
        by_counter_[WG_COUNT_STALE_BYTES] = &self.counter("waggle.capture.lost", {{"cause", "agent_stopped"}}, "By");
        by_counter_[WG_COUNT_OFF] = lost("switched_off");
        by_counter_[WG_COUNT_TAIL_FAILED] = lost("tail_map_full");
        by_counter_[WG_COUNT_TARGET_FAILED] = lost("target_map_full");
        by_counter_[WG_COUNT_MUTED_BYTES] = &self.counter("waggle.capture.muted", {}, "By");
        by_counter_[WG_COUNT_SCRATCH_BUSY] = lost("interrupted");
        by_counter_[WG_COUNTERS] = lost("program_busy");
    }
    void refresh() {
        const auto now = capture_.counters();
        for (std::size_t i = 0; i < now.size(); ++i)
            if (by_counter_[i]) by_counter_[i]->set(static_cast<std::int64_t>(now[i]));
        by_counter_[WG_COUNTERS]->set(static_cast<std::int64_t>(capture_.missed_runs()));
    }
    std::uint64_t lost() const {
        return static_cast<std::uint64_t>(by_counter_[WG_COUNT_RING_FULL]->get() + by_counter_[WG_COUNT_STALE]->get());
    }

  private:
    const sensors::Capture& capture_;
    std::vector<metrics::SelfValue*> by_counter_;
};

struct Servers {
    std::vector<http::Server> list;
};

void add_health(http::Server& server, const std::atomic<bool>& is_ready) {
    server.handle("/healthz", [](const http::Request&) { return http::Response{.body = "ok\n"}; });
    server.handle("/readyz", [&is_ready](const http::Request&) {
        return is_ready ? http::Response{.body = "ready\n"}
                        : http::Response{.status = 503, .body = "not attached yet\n"};
    });
}

Result<Servers> open_servers(const config::Config& config, Pipeline& pipeline, const std::atomic<bool>& is_ready) {
    Servers servers;
    if (config.prometheus.is_enabled()) {
        auto server = http::Server::listen({.address = config.prometheus.address, .port = config.prometheus.port});
        if (!server) return std::unexpected(std::move(server.error()).context("Prometheus endpoint"));
        const exporters::PrometheusOptions options = exporters::prometheus_options(config);
        server->handle(config.prometheus.path, [&pipeline, options](const http::Request& request) {
            return exporters::prometheus_response(pipeline.prometheus_snapshot(), request, options);
        });
        add_health(*server, is_ready);
        servers.list.push_back(std::move(*server));
    }
    if (config.health_port && config.health_port != config.prometheus.port) {
        auto server = http::Server::listen({.address = {}, .port = config.health_port});
        if (!server) return std::unexpected(std::move(server.error()).context("health endpoint"));
        add_health(*server, is_ready);
        servers.list.push_back(std::move(*server));
    }
    for (http::Server& server : servers.list) server.start();
    return servers;
}

void log_reports(const std::vector<sensors::SensorReport>& reports) {
    for (const sensors::SensorReport& report : reports) {
        if (report.state == sensors::SensorState::Unavailable) {
            log::warn("{}: not available, so {}", report.name, report.cost_of_absence);
            for (const std::string& reason : report.reasons) log::warn("  {}", reason);
            continue;
        }
        log::info("{}: by {}", report.name, report.chosen);
        for (const std::string& reason : report.reasons) log::debug("  {}", reason);
    }
}

// Signals are read, not handled: threads started later inherit the mask.
Fd open_signals() {
    sigset_t signals;
    ::sigemptyset(&signals);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&signals, signal);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    return Fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
}

// The next signal within the time, 0 when none came.
int wait_signal(const Fd& signals, std::chrono::milliseconds wait) {
    pollfd poll_fd{.fd = signals.get(), .events = POLLIN, .revents = 0};
    if (::poll(&poll_fd, 1, static_cast<int>(wait.count())) <= 0) return 0;
    signalfd_siginfo info{};
    if (::read(signals.get(), &info, sizeof(info)) != sizeof(info)) return 0;
    return static_cast<int>(info.ssi_signo);
}

void reload(const RunOptions& options, Discovery& discovery, Pipeline& pipeline) {
    if (!options.reload) return;
    Result<config::Config> fresh = options.reload();
    if (!fresh) return log::error("reload: {}; the configuration stays as it was", fresh.error().message);
    apply_defaults(*fresh);
    if (auto done = pipeline.reload(*fresh); !done)
        return log::error("reload: {}; the configuration stays as it was", done.error().message);
    discovery.reload(*fresh);
    log::info("reloaded selectors, routes and filters; exporters, ports and ebpf settings need a restart");
}

}  // namespace

void apply_defaults(config::Config& config) {
    if (!config::has_selection(config)) {
        config::SelectorConfig every;
        every.is_any_listener = true;
        config.discovery.services.push_back(every);
    }
    if (!config::has_exporter(config)) config.prometheus.port = 9464;
}

Result<void> run(RunOptions options) {
    const config::Config& config = options.config;
    const Fd signals = open_signals();
    metrics::SelfMetrics self;

    std::vector<sensors::SensorReport> reports;
    auto capture = sensors::Capture::start({.disabled = config.ebpf.disable,
                                            .pid_namespace = counted_pid_namespace(),
                                            .ring_bytes = config.ebpf.ring_bytes,
                                            .rings = ring_count(config)},
                                           reports);
    log_reports(reports);
    if (!capture) return std::unexpected(capture.error());
    (*capture)->beat(monotonic_now());

    auto discovery = TRY(Discovery::start(config, **capture, self));
    BatchFlow flow(kBatchesWaiting);
    auto pipeline = TRY(Pipeline::create(config, flow, self, [&discovery] { return discovery->table(); }));
    KernelCounters counters(**capture, self);
    pipeline->on_snapshot([&counters] { counters.refresh(); });

    std::vector<std::unique_ptr<Reader>> readers;
    for (std::size_t ring = 0; ring < (*capture)->rings(); ++ring)
        readers.push_back(TRY(Reader::start({.ring = ring,
                                             .tick = std::chrono::duration_cast<std::chrono::milliseconds>(config.ebpf.tick),
                                             .tracker = tracker_config(config, *discovery),
                                             .tap = options.tap,
                                             .service_of = service_source(*discovery)},
                                            **capture, flow, self)));
    pipeline->start();
    std::atomic<bool> is_ready{true};
    Servers servers = TRY(open_servers(config, *pipeline, is_ready));
    for (const http::Server& server : servers.list) log::info("listening on port {}", server.port());
    log::info("watching {} processes", discovery->watched());
    notify_ready();

    Console console(options.is_console && config.trace_printer == config::TracePrinter::Disabled);
    for (;;) {
        const int signal = wait_signal(signals, console.interval());
        if (signal == SIGINT || signal == SIGTERM) break;
        if (signal == SIGHUP) reload(options, *discovery, *pipeline);
        counters.refresh();
        std::uint64_t open = 0;
        for (const auto& reader : readers) open += reader->open_exchanges();
        console.draw([&](double seconds) { return pipeline->summary(seconds); },
                     {.watched = discovery->watched(), .open = open, .lost = counters.lost(), .port = config.prometheus.port});
    }
    console.close();

    log::info("stopping");
    notify_stopping();
    const auto deadline = std::chrono::steady_clock::now() + config.shutdown_timeout;
    is_ready = false;
    (*capture)->detach();
    for (const auto& reader : readers) reader->stop();
    discovery->stop();
    pipeline->stop(deadline);
    for (http::Server& server : servers.list) server.stop();
    return {};
}

}  // namespace waggle::agent
