// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <poll.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <random>
#include <utility>

#include "agent/budget.h"
#include "agent/console.h"
#include "agent/discovery.h"
#include "agent/features.h"
#include "agent/heartbeat.h"
#include "agent/kernel_counters.h"
#include "agent/notify.h"
#include "agent/pipeline.h"
#include "agent/reload.h"
#include "agent/servers.h"
#include "agent/shared_calls.h"
#include "agent/sizes.h"
#include "agent/status_page.h"
#include "agent/tallies.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/load.h"
#include "discover/selector.h"
#include "protocols/protocol.h"
#include "sensors/capture.h"

namespace waggle::agent {
namespace {

using namespace std::chrono_literals;

constexpr auto kResolverWait = 500ms;  // from the start on, of the second that it may take
constexpr auto kFirstLook = 1s;        // what is not read of TLS by then is read a little later

Sizes sizes_here(const config::Config& config) {
    return sizes_for(config, static_cast<std::uint32_t>(sensors::possible_cpus()));
}

protocols::TrackerConfig tracker_config(const config::Config& config, const Discovery& discovery,
                                        std::shared_ptr<protocols::Calls> calls) {
    const auto ns = [](config::Duration duration) {
        return static_cast<std::uint64_t>(std::max<std::int64_t>(0, duration.count()));
    };
    protocols::TrackerConfig tracker;
    if (config.ebpf.is_http_request_timeout_set)
        tracker.options.http_request_timeout_ns = ns(config.ebpf.http_request_timeout);
    tracker.options.max_exchange_age_ns = ns(config.ebpf.max_exchange_age);
    tracker.options.sensitive_query_params = config.sensitive_query_params;
    tracker.options.sanitizes_queries = config.sanitize_queries;
    tracker.options.wants_traces = config.traces.is_enabled() || config.trace_printer != config::TracePrinter::Disabled;
    const auto has_plain_features = [](const std::vector<std::string>& features) {
        return features == std::vector<std::string>{"application"};
    };
    tracker.options.wants_details =
        tracker.options.wants_traces || !config.attributes.select.empty() || !config.filter_application.empty() ||
        !has_plain_features(config.metrics.features) || !has_plain_features(config.prometheus.features);
    tracker.calls = std::move(calls);
    tracker.max_connections = config.ebpf.max_connections;
    tracker.max_held_bytes = static_cast<std::size_t>(sizes_here(config).held_bytes);
    tracker.seed = std::random_device{}() | std::uint64_t{std::random_device{}()} << 32;
    tracker.threads_are_contexts = [&discovery](std::uint32_t pid) {
        return threads_are_contexts(discovery.table().get(), pid);
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

// The table of a discovery that begins later than the pipeline and ends before it.
struct Current {
    std::atomic<Discovery*> discovery{nullptr};
    std::shared_ptr<const discover::TargetTable> table() const {
        const Discovery* now = discovery;
        return now ? now->table() : nullptr;
    }
    Looked looked_until() const {
        const Discovery* now = discovery;
        return now ? now->looked_until() : Looked{};
    }
};

void allow_interrupt() {
    sigset_t interrupt;
    ::sigemptyset(&interrupt);
    ::sigaddset(&interrupt, SIGINT);
    ::signal(SIGINT, SIG_DFL);
    ::pthread_sigmask(SIG_UNBLOCK, &interrupt, nullptr);
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

// The same, while memory is looked after.
int wait_round(const Fd& signals, std::chrono::milliseconds wait, Budget& budget) {
    using std::chrono::steady_clock;
    const auto end = steady_clock::now() + wait;
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - steady_clock::now());
        if (const int signal = wait_signal(signals, std::clamp(left, 0ms, budget.pause()))) return signal;
        if (left <= budget.pause()) return 0;
        budget.look(monotonic_now());
    }
}

std::string joined(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, ", ")); }

// What the agent misses is said, and fatal only when the configuration wants it so.
Result<void> check_privileges(const config::Config& config) {
    const std::vector<FeatureState> states = judge(surroundings(config), CapabilitySet::effective());
    const auto missing = missing_capabilities(states);
    if (missing.empty()) return ok();
    if (config.enforce_sys_caps)
        return fail(
            fmt::format("enforce_sys_caps is on, and these capabilities are missing: {}", fmt::join(missing, ", ")));
    for (const std::string& line : privilege_messages(states)) log::warn("{}", line);
    return ok();
}

// Nothing can be seen: why, in words that help. Where capabilities are missing, that is the reason.
Error no_capture(const config::Config& config, Error error, std::span<const sensors::SensorReport> reports) {
    const std::vector<FeatureState> states = judge(surroundings(config, reports), CapabilitySet::effective());
    for (const FeatureState& state : states)
        if (state.feature->is_vital && !state.missing.empty())
            error.message = fmt::format("{}: {} missing. To grant all that is needed here: {}", state.feature->lost,
                                        fmt::join(state.missing, " and "), how_to_grant(needed_capabilities(states)));
    return error;
}

class Reloader {
  public:
    Reloader(const RunOptions& options, Pipeline& pipeline)
        : options_(options), pipeline_(pipeline), current_(options.loaded) {}

    void reload(Discovery& discovery) {
        Result<config::Loaded> fresh = options_.reload ? options_.reload() : Result<config::Loaded>(current_);
        if (!fresh) return refuse(fresh.error());
        config::Config config = fresh->config;
        apply_defaults(config);
        if (auto done = discover::Selectors::compile(config, static_cast<std::uint32_t>(::getpid())); !done)
            return refuse(done.error());
        if (auto done = pipeline_.reload(config); !done) return refuse(done.error());
        discovery.reload(config);
        const ReloadReport report = compare(options_.loaded, current_, *fresh);
        if (report.reloaded.empty())
            log::info("reloaded: no setting that can be reloaded has changed; certificates were read anew");
        else
            log::info("reloaded: {}; certificates were read anew", joined(report.reloaded));
        if (!report.needs_restart.empty()) log::warn("changed, but needs a restart: {}", joined(report.needs_restart));
        current_ = std::move(*fresh);
    }

  private:
    static void refuse(const Error& error) {
        log::error("reload: {}; the configuration stays as it was", error.message);
    }

    const RunOptions& options_;
    Pipeline& pipeline_;
    config::Loaded current_;
};

// What Console shows beside the services.
Status status_of(const config::Config& config, const Discovery& discovery, const metrics::SelfMetrics& self,
                 const std::vector<std::unique_ptr<Reader>>& readers) {
    Status status{.watched = discovery.watched(), .port = config.prometheus.port};
    for (const auto& reader : readers) status.open += reader->open_exchanges();
    status.account = read_account(self);
    // What the readers publish: traffic nobody could read, by process and what it is called.
    const auto row = [&](const metrics::SelfMetrics::Labels& labels) -> Undecoded& {
        const auto& [pid, service] = std::pair(labels.at(0).second, labels.at(1).second);
        return status.undecoded[service.empty() ? "process " + pid : service];
    };
    self.visit("waggle.undecoded.connections", [&](const auto& labels, std::int64_t count) {
        row(labels).connections += static_cast<std::uint64_t>(count);
    });
    self.visit("waggle.undecoded.size",
               [&](const auto& labels, std::int64_t bytes) { row(labels).bytes += static_cast<std::uint64_t>(bytes); });
    return status;
}

std::vector<wg_framing> known_framings() {
    std::vector<wg_framing> all;
    for (const protocols::Protocol* protocol : protocols::all())
        all.push_back(protocol->framing.value_or(wg_framing{}));
    return all;
}

// From the first attached program to the last detached one.
Result<void> watch(const RunOptions& options, const config::Config& config, const Fd& signals,
                   metrics::SelfMetrics& self, Ledger& ledger, BatchFlow& flow, Pipeline& pipeline, Current& current,
                   StatusSource& source, std::atomic<bool>& is_ready) {
    // The resolver may be slow: it is asked beside the loading.
    const std::unique_ptr<proc::FullHostName> host_name = ask_host_name(config);
    const auto host_name_until = std::chrono::steady_clock::now() + kResolverWait;
    std::vector<sensors::SensorReport> reports;
    auto capture = sensors::Capture::start({.disabled = config.ebpf.disable,
                                            .pid_namespace = counted_pid_namespace(),
                                            .ring_bytes = config.ebpf.ring_bytes,
                                            .rings = sizes_here(config).rings,
                                            .copies = config.ebpf.program_copies,
                                            .has_queue_time = config.ebpf.queue_time,
                                            .has_tls = config.ebpf.tls,
                                            .framings = known_framings()},
                                           reports);
    log_reports(reports);
    source.set_sensors(reports);
    if (!capture) return std::unexpected(no_capture(config, capture.error(), reports));
    for (const std::string& line : hook_messages(judge(surroundings(config, reports), CapabilitySet::effective())))
        log::warn("{}", line);
    std::optional<Heartbeat> heartbeat(std::in_place, **capture);

    auto discovery = TRY(Discovery::start(config, host_name ? host_name->wait(host_name_until) : std::string(),
                                          **capture, self, options.recorder));
    current.discovery = discovery.get();
    KernelCounters counters(**capture, self);
    // The only reader needs no locks.
    const std::shared_ptr<protocols::Calls> calls = (*capture)->rings() > 1 ? std::make_shared<SharedCalls>() : nullptr;
    std::vector<std::unique_ptr<Reader>> readers;
    readers.reserve((*capture)->rings());
    for (std::size_t ring = 0; ring < (*capture)->rings(); ++ring)
        readers.push_back(
            TRY(Reader::start({.ring = ring,
                               .tick = std::chrono::duration_cast<std::chrono::milliseconds>(config.ebpf.tick),
                               .ring_bytes = static_cast<std::uint32_t>(config.ebpf.ring_bytes),
                               .tracker = tracker_config(config, *discovery, calls),
                               .recorder = options.recorder,
                               .service_of = service_source(*discovery),
                               .on_tls = [raw = discovery.get()](std::uint32_t pid) { raw->ask_tls(pid); }},
                              **capture, flow, self, ledger)));
    heartbeat.reset();  // the readers beat from now on
    const auto ttl = std::max(config.prometheus.ttl, config.metrics.ttl);
    Tallies tallies((*capture)->tallies(), self, static_cast<std::uint64_t>(ttl.count()));
    pipeline.on_snapshot([&](metrics::Snapshot& snapshot) {
        counters.refresh();
        tallies.refresh(discovery->table(), monotonic_now());
        tallies.append(snapshot);
    });
    pipeline.start();
    discovery->wait_first_look(kFirstLook);
    is_ready = true;
    log::info("watching {} processes", discovery->watched());
    notify_ready();

    Reloader reloader(options, pipeline);
    Budget budget(config, self, **capture, pipeline, readers);
    Console console(options.is_console && config.trace_printer == config::TracePrinter::Disabled);
    budget.look(monotonic_now());
    for (;;) {
        const int signal = wait_round(signals, console.interval(), budget);
        if (signal == SIGINT || signal == SIGTERM) break;
        if (signal == SIGHUP) reloader.reload(*discovery);
        pipeline.refresh_self();
        budget.look(monotonic_now());
        ledger.check();
        OpenByProcess open;
        for (const auto& reader : readers) reader->add_open(open);
        pipeline.set_open(open);
        console.draw([&](double seconds) { return pipeline.summary(seconds); },
                     [&] { return status_of(config, *discovery, self, readers); });
    }
    // Detaching takes a while, the switch does not.
    (*capture)->switch_off();
    console.close();

    log::info("stopping");
    notify_stopping();
    const auto deadline = std::chrono::steady_clock::now() + config.shutdown_timeout;
    is_ready = false;
    (*capture)->detach();
    for (const auto& reader : readers) reader->request_stop();
    for (const auto& reader : readers) reader->stop();
    discovery->stop();
    // A second Ctrl-C does not wait for back ends.
    allow_interrupt();
    pipeline.stop(deadline);
    pipeline.on_snapshot({});
    return ok();
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

Result<void> run(const RunOptions& options) {
    config::Config config = options.loaded.config;
    apply_defaults(config);
    if (auto done = check_privileges(config); !done) return done;
    const Fd signals = open_signals();
    metrics::SelfMetrics self;
    BatchFlow flow(sizes_here(config).batches_waiting);
    Current current;
    Ledger ledger(self);
    auto pipeline = TRY(Pipeline::create(
        config, flow, self, ledger, [&current] { return current.table(); },
        [&current] { return current.looked_until(); }));
    std::atomic<bool> is_ready{false};
    StatusSource source;
    const std::uint64_t started = monotonic_now();
    const auto status = [&] {
        pipeline->refresh_self();
        return status_json(read_account(self), {.is_ready = is_ready,
                                                .uptime_s = static_cast<double>(monotonic_now() - started) * 1e-9,
                                                .sensors = source.sensors()});
    };
    Servers servers = TRY(Servers::open(config, *pipeline, is_ready, status));
    auto done = watch(options, config, signals, self, ledger, flow, *pipeline, current, source, is_ready);
    servers.stop();
    return done;
}

}  // namespace waggle::agent
