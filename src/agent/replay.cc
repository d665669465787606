// SPDX-License-Identifier: Apache-2.0
#include "agent/replay.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <utility>

#include "agent/discovery.h"
#include "agent/pipeline.h"
#include "agent/record_facts.h"
#include "agent/record_file.h"
#include "agent/record_format.h"
#include "base/clock.h"
#include "base/log.h"
#include "exporters/console.h"

namespace waggle::agent {
namespace {

using TablePtr = std::shared_ptr<const discover::TargetTable>;

// Facts may stand after the events they are about, as discovery may know them later: read first.
Result<TablePtr> read_processes(const std::string& path) {
    RecordFile file = TRY(RecordFile::open(path));
    std::map<std::pair<std::uint32_t, std::uint64_t>, std::shared_ptr<const discover::Target>> targets;
    for (;;) {
        const auto record = file.next();
        if (!record || !*record) break;  // what is damaged is said when the events are read
        if ((*record)->head.type != WG_EVENT_PROCESS) continue;
        if (auto target = read_process_fact((*record)->body()))
            targets[{target->pid, target->start_ns}] = std::make_shared<const discover::Target>(std::move(*target));
    }
    std::vector<std::shared_ptr<const discover::Target>> list;
    for (auto& [key, target] : targets) {
        // A table has one target per pid: the process that started last.
        if (!list.empty() && list.back()->pid == key.first) list.pop_back();
        list.push_back(target);
    }
    return std::make_shared<const discover::TargetTable>(std::move(list));
}

class Replay {
  public:
    Replay(const config::Config& config, Pipeline::Stages stages, TablePtr table)
        : config_(config),
          service_([table] { return table; }),
          own_telemetry_(config.discovery.exclude_otel_instrumented_services),
          stages_(std::move(stages)),
          table_(std::move(table)) {}

    void take(const Record& record) {
        if (record.head.version != WG_EVENT_VERSION) return;
        if (record.head.type == kRecordRing) {
            RingRecord ring;
            if (record.read(ring) && ring.ring < kMaxRecordRings)
                ring_ = ring.ring;
            else
                ++unreadable_;
            return;
        }
        if (record.head.type == kRecordSettings) return configure(record.body());
        if (record.head.type == WG_EVENT_PROCESS || record.head.type > WG_EVENT_TAIL) return;
        protocols::Tracker& tracker = tracker_of(ring_);
        if (record.head.type == WG_EVENT_TICK) {
            tracker.on_tick(record.head.time_ns, batch_);
            tracker.rule_changes().clear();
            tracker.gone_rules().clear();
            tracker.done_tails().clear();
            tracker.tls_seen().clear();
            last_ns_ = std::max<std::uint64_t>(last_ns_, record.head.time_ns);
        } else if (record.head.type == WG_EVENT_TAIL) {
            TailRecord tail;
            if (record.read(tail)) tracker.on_tail(tail.key, tail.tail, batch_);
        } else {
            tracker.on_event(record.bytes, batch_);
            last_ns_ = std::max<std::uint64_t>(last_ns_, record.head.time_ns);
        }
        print();
    }

    void finish() {
        std::uint64_t malformed = unreadable_;
        for (auto& [ring, tracker] : trackers_) {
            tracker->finish(last_ns_, batch_);
            malformed += tracker->stats().malformed;
        }
        print();
        std::fflush(stdout);
        if (malformed) log::warn("{} events could not be read and were passed over", malformed);
    }

  private:
    // Are a process's threads contexts? As agent.cc says it.
    void add_contexts(protocols::TrackerConfig& config) const {
        config.threads_are_contexts = [table = table_](std::uint32_t pid) {
            return threads_are_contexts(table.get(), pid);
        };
    }

    void configure(std::string_view body) {
        auto settings = read_settings_fact(body);
        if (!settings || trackers_.contains(ring_)) return;
        wall_offset_ns_ = settings->wall_offset_ns;
        add_contexts(settings->tracker);
        settings->tracker.calls = calls_;
        trackers_[ring_] = std::make_unique<protocols::Tracker>(std::move(settings->tracker));
    }

    protocols::Tracker& tracker_of(std::uint32_t ring) {
        auto& tracker = trackers_[ring];
        if (!tracker) {
            protocols::TrackerConfig config;
            config.options.sensitive_query_params = config_.sensitive_query_params;
            config.options.sanitizes_queries = config_.sanitize_queries;
            add_contexts(config);
            config.calls = calls_;
            tracker = std::make_unique<protocols::Tracker>(std::move(config));
        }
        return *tracker;
    }

    void print() {
        if (batch_.is_empty()) return;
        service_.apply(batch_);
        own_telemetry_.apply(batch_);
        for (const auto& stage : stages_) stage->apply(batch_);
        using config::TracePrinter;
        out_.clear();
        const bool is_indented = config_.trace_printer == TracePrinter::JsonIndent;
        if (is_indented || config_.trace_printer == TracePrinter::Json)
            exporters::print_json(batch_, wall_offset_ns_, is_indented, out_);
        else
            exporters::print_text(batch_, wall_offset_ns_, out_);
        std::fwrite(out_.data(), 1, out_.size(), stdout);
        batch_.clear();
    }

    const config::Config& config_;
    decorate::Service service_;
    decorate::OwnTelemetry own_telemetry_;
    Pipeline::Stages stages_;
    TablePtr table_;
    std::shared_ptr<protocols::Calls> calls_ = std::make_shared<protocols::HeldCalls>();
    std::map<std::uint32_t, std::unique_ptr<protocols::Tracker>> trackers_;
    std::uint32_t ring_ = 0;
    std::uint64_t last_ns_ = 0;
    std::uint64_t unreadable_ = 0;  // records of user space's that are none
    std::int64_t wall_offset_ns_ = waggle::wall_offset_ns();
    spans::SpanBatch batch_;
    std::string out_;
};

}  // namespace

Result<void> replay(const std::string& path, const config::Config& config) {
    TablePtr table = TRY(read_processes(path));
    auto stages = TRY(Pipeline::make_stages(config));
    Replay replay(config, std::move(stages), std::move(table));
    RecordFile file = TRY(RecordFile::open(path));
    for (;;) {
        const auto record = TRY(file.next());
        if (!record) break;
        replay.take(*record);
    }
    replay.finish();
    return ok();
}

}  // namespace waggle::agent
