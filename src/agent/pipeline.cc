// SPDX-License-Identifier: Apache-2.0
#include "agent/pipeline.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/clock.h"
#include "base/log.h"
#include "decorate/filter.h"
#include "decorate/routes.h"
#include "exporters/console.h"

namespace waggle::agent {
namespace {

constexpr std::chrono::milliseconds kWait{200};
constexpr std::chrono::milliseconds kUnjudgedStep{10};
// By the trace id, so that all agents choose the same ones.
const spans::Sampler kThin = spans::Sampler::from("traceidratio", "0.1").value();

}  // namespace

Result<Pipeline::Stages> Pipeline::make_stages(const config::Config& config) {
    Stages stages;
    if (config.routes.is_enabled)
        stages.push_back(std::make_unique<decorate::Routes>(config.routes, config.profile == config::Profile::Beyla));
    if (!config.filter_application.empty()) stages.push_back(TRY(decorate::Filter::create(config.filter_application)));
    return stages;
}

Result<std::unique_ptr<Pipeline>> Pipeline::create(const config::Config& config, BatchFlow& flow,
                                                   metrics::SelfMetrics& self, Ledger& ledger, TableSource table,
                                                   LookedUntil looked_until) {
    std::unique_ptr<Pipeline> pipeline(
        new Pipeline(config, flow, self, ledger, std::move(table), std::move(looked_until)));
    pipeline->stages_ = TRY(make_stages(config));
    pipeline->trace_delivery_ = TRY(exporters::make_trace_delivery(config, self));
    pipeline->metric_delivery_ = TRY(exporters::make_metric_delivery(config, self));
    if (config.prometheus.is_enabled())
        pipeline->prometheus_ = std::make_unique<metrics::Registry>(exporters::prometheus_registry(config));
    if (pipeline->metric_delivery_) {
        const metrics::RegistryOptions options = exporters::otlp_registry(config);
        pipeline->otlp_ = std::make_unique<metrics::Registry>(options);
        if (options.temporality == metrics::Temporality::Delta) pipeline->deltas_.emplace();
    }
    pipeline->wanted_ = exporters::trace_filter(config);
    return pipeline;
}

Pipeline::Pipeline(const config::Config& config, BatchFlow& flow, metrics::SelfMetrics& self, Ledger& ledger,
                   TableSource table, LookedUntil looked_until)
    : config_(config),
      flow_(flow),
      self_(self),
      ledger_(ledger),
      table_(table),
      service_(std::move(table)),
      own_telemetry_(config.discovery.exclude_otel_instrumented_services),
      unowned_(self.counter("waggle.spans.unowned")),
      unjudged_([this](const spans::SpanBatch& batch) { return service_.knows(batch, clock_ns(CLOCK_BOOTTIME)); },
                std::move(looked_until)),
      started_unix_ns_(static_cast<std::int64_t>(monotonic_now()) + wall_offset_ns()),
      next_push_(std::chrono::steady_clock::now() + config.metrics.interval),
      filtered_(self.counter("waggle.spans.filtered")) {
    auto resource = std::make_shared<spans::Resource>();
    resource->service_name = config.profile == config::Profile::Beyla ? "beyla-internal" : "waggle";
    char host[256] = {};
    ::gethostname(host, sizeof(host) - 1);
    resource->instance_id = std::string(host) + ":" + std::to_string(::getpid());
    resource->language = "cpp";
    resource->attributes = config.resource_attributes;
    std::erase_if(resource->attributes, [](const auto& pair) { return pair.first == "host.name"; });
    resource->attributes.emplace_back("host.name", host);
    std::ranges::sort(resource->attributes);
    agent_resource_ = std::move(resource);
}

Pipeline::~Pipeline() { stop(std::chrono::steady_clock::now()); }

void Pipeline::start() {
    thread_ = std::thread([this] {
        ::pthread_setname_np(::pthread_self(), "pipeline");
        run();
    });
}

void Pipeline::stop(std::chrono::steady_clock::time_point deadline) {
    flow_.full.close();
    if (thread_.joinable())
        thread_.join();
    else
        return;
    if (metric_delivery_) push_metrics();
    if (trace_delivery_) trace_delivery_->shutdown(deadline);
    if (metric_delivery_) metric_delivery_->shutdown(deadline);
    if (trace_delivery_) {
        const auto totals = trace_delivery_->span_totals();
        log::info("{} spans were sent, {} were lost", totals.sent, totals.lost);
    }
    if (config_.trace_printer == config::TracePrinter::Counter) {
        std::printf("Processed %llu requests\n", static_cast<unsigned long long>(spans()));
        std::fflush(stdout);
    }
}

void Pipeline::run() {
    for (;;) {
        const Ledger::Numbers handed = ledger_.handed();
        const bool has_unjudged = !unjudged_.is_empty();
        auto batch = flow_.full.pop_for(has_unjudged ? kUnjudgedStep : kWait);
        if (!batch && !has_unjudged && !flow_.full.is_closed()) ledger_.rest(handed, trace_delivery_ != nullptr);
        if (batch) {
            unjudged_.push(std::move(*batch), monotonic_now());
        } else if (flow_.full.is_closed()) {
            while (BatchPtr last = unjudged_.take()) finish(std::move(last));
            return;
        }
        while (BatchPtr judged = unjudged_.pop(monotonic_now())) finish(std::move(judged));
        if (metric_delivery_ && std::chrono::steady_clock::now() >= next_push_) {
            next_push_ = std::chrono::steady_clock::now() + config_.metrics.interval;
            push_metrics();
        }
    }
}

void Pipeline::finish(BatchPtr batch) {
    take(*batch);
    flow_.give_back(std::move(batch));
}

void Pipeline::take(spans::SpanBatch& batch) {
    const Ledger::Count all(batch);
    ledger_.take(all.numbers());
    service_.apply(batch);
    const Ledger::Count owned(batch);
    ledger_.end(End::Unowned, all.numbers(), owned.numbers());
    own_telemetry_.apply(batch);
    unowned_.set(static_cast<std::int64_t>(service_.unowned()));
    const auto is_span = [](const spans::Span& span) { return span.span_class != spans::SpanClass::Connection; };
    spans_.fetch_add(static_cast<std::uint64_t>(std::ranges::count_if(batch, is_span)), std::memory_order_relaxed);
    {
        std::lock_guard lock(mutex_);
        const std::size_t before = batch.size();
        for (const auto& stage : stages_) stage->apply(batch);
        filtered_.add(static_cast<std::int64_t>(before - batch.size()));
        ledger_.end(End::Filtered, owned.numbers(), Ledger::Count(batch).numbers());
        const std::uint64_t now = monotonic_now();
        if (prometheus_) prometheus_->record(batch, now);
        if (otlp_) otlp_->record(batch, now);
        // A connection that nobody can read is for metrics alone.
        batch.retain(is_span);
        summary_.record(batch);
    }
    if (trace_delivery_)
        export_traces(batch);
    else
        ledger_.end(prints() ? End::Exported : End::Aggregated, Ledger::Count(batch).numbers());
    print(batch);
    ledger_.close_batch();
}

void Pipeline::export_traces(const spans::SpanBatch& batch) {
    const bool is_thinning = is_thinning_.load(std::memory_order_relaxed);
    Ledger::Count exported;
    Ledger::Count left_out;
    trace_delivery_->spans(batch, [&](const spans::Span& span) {
        const bool is_wanted = wanted_(span) && (!is_thinning || kThin.is_sampled(span));
        (is_wanted ? exported : left_out).add(span);
        return is_wanted;
    });
    ledger_.end(End::Exported, exported.numbers());
    ledger_.end(End::SampledOut, left_out.numbers());
}

bool Pipeline::prints() const {
    using config::TracePrinter;
    return config_.trace_printer != TracePrinter::Disabled && config_.trace_printer != TracePrinter::Counter;
}

void Pipeline::print(const spans::SpanBatch& batch) {
    using config::TracePrinter;
    if (!prints()) return;
    printed_.clear();
    if (config_.trace_printer == TracePrinter::Text)
        exporters::print_text(batch, wall_offset_ns(), printed_);
    else
        exporters::print_json(batch, wall_offset_ns(), config_.trace_printer == TracePrinter::JsonIndent, printed_);
    std::fwrite(printed_.data(), 1, printed_.size(), stdout);
    std::fflush(stdout);
}

void Pipeline::append_self(metrics::Snapshot& snapshot) {
    {
        std::lock_guard lock(refresh_mutex_);
        if (refresh_) refresh_(snapshot);
    }
    ledger_.refresh();
    const metrics::Profile profile = exporters::profile_of(config_);
    self_.append(snapshot, profile, agent_resource_,
                 static_cast<std::uint64_t>(started_unix_ns_ - snapshot.wall_offset_ns));
    if (!config_.prometheus.disable_build_info)
        metrics::append_info(snapshot, profile, "waggle.build.info", {{"version", WAGGLE_VERSION}}, agent_resource_);
}

void Pipeline::push_metrics() {
    std::unique_lock lock(mutex_);
    metrics::Snapshot snapshot = otlp_->collect(monotonic_now(), wall_offset_ns());
    lock.unlock();
    append_self(snapshot);
    if (deltas_) deltas_->apply(snapshot);
    metric_delivery_->metrics(std::move(snapshot));
}

metrics::Snapshot Pipeline::prometheus_snapshot() {
    std::unique_lock lock(mutex_);
    metrics::Snapshot snapshot =
        prometheus_ ? prometheus_->collect(monotonic_now(), wall_offset_ns()) : metrics::Snapshot{};
    lock.unlock();
    append_self(snapshot);
    return snapshot;
}

metrics::Snapshot Pipeline::self_snapshot() {
    metrics::Snapshot snapshot;
    snapshot.time_ns = monotonic_now();
    snapshot.wall_offset_ns = wall_offset_ns();
    append_self(snapshot);
    return snapshot;
}

void Pipeline::refresh_self() {
    metrics::Snapshot unused;
    std::lock_guard lock(refresh_mutex_);
    if (refresh_) refresh_(unused);
    ledger_.refresh();
}

void Pipeline::on_snapshot(Refresh refresh) {
    std::lock_guard lock(refresh_mutex_);
    refresh_ = std::move(refresh);
}

std::vector<Summary::Row> Pipeline::summary(double seconds) {
    std::lock_guard lock(mutex_);
    return summary_.take(seconds);
}

void Pipeline::hold_series(bool is_held) {
    std::lock_guard lock(mutex_);
    for (metrics::Registry* registry : {prometheus_.get(), otlp_.get()})
        if (registry) registry->hold_series(is_held);
}

void Pipeline::set_open(const OpenByProcess& open) {
    const auto table = table_();
    std::lock_guard lock(mutex_);
    for (auto& [kind, count] : open_) count = 0;
    for (const auto& [kind, count] : open) {
        const discover::Target* target = table ? table->find(kind.first) : nullptr;
        if (target && target->resource) open_[{target->resource, kind.second}] += count;
    }
    const std::uint64_t now = monotonic_now();
    for (const auto& [kind, count] : open_) {
        std::vector<spans::Attribute> attributes;
        for (const auto& [key, value] : kind.second) attributes.push_back({key, std::string_view(value)});
        for (metrics::Registry* registry : {prometheus_.get(), otlp_.get()})
            if (registry)
                registry->set("http.server.active_requests", kind.first, attributes, static_cast<double>(count), now);
    }
    std::erase_if(open_, [](const auto& entry) { return entry.second == 0; });
}

Result<void> Pipeline::reload(const config::Config& config) {
    Stages stages = TRY(make_stages(config));
    // Everything of a target but its certificates stays as it was.
    config::Config renewed = config_;
    renewed.traces.tls = config.traces.tls;
    renewed.metrics.tls = config.metrics.tls;
    std::unique_ptr<exporters::Exporter> traces;
    std::unique_ptr<exporters::Exporter> metrics;
    if (trace_delivery_) traces = TRY(exporters::make_trace_exporter(renewed));
    if (metric_delivery_) metrics = TRY(exporters::make_metric_exporter(renewed));
    if (traces) trace_delivery_->replace(std::move(traces));
    if (metrics) metric_delivery_->replace(std::move(metrics));
    std::lock_guard lock(mutex_);
    stages_ = std::move(stages);
    return {};
}

}  // namespace waggle::agent
