// SPDX-License-Identifier: Apache-2.0
#include "metrics/self_descriptions.h"

#include <algorithm>
#include <iterator>

namespace waggle::metrics {
namespace {

constexpr SelfDescription kRows[] = {
    {"waggle.build.info", "gauge", "version", "Always 1; the version is its label."},
    {"waggle.processes.watched", "gauge", "", "Processes that are watched."},
    {"waggle.connections.tracked", "gauge", "", "Connections that are followed."},
    {"waggle.connections.unknown", "counter", "",
     "Events of connections that were never announced."},
    {"waggle.connections.evicted", "counter", "",
     "Connections forgotten since there were too many."},
    {"waggle.exchanges.open", "gauge", "", "Requests whose response has not ended."},
    {"waggle.events.emitted", "counter", "", "Events the kernel's side reported."},
    {"waggle.events.read", "counter", "", "Events read from the rings."},
    {"waggle.events.malformed", "counter", "", "Events that could not be read."},
    {"waggle.events.lost", "counter", "cause", "Events lost in the kernel."},
    {"waggle.capture.lost", "counter", "cause", "Bytes of traffic that lost events reported."},
    {"waggle.capture.gap", "counter", "", "Bytes of traffic that no event reported."},
    {"waggle.capture.muted", "counter", "", "Bytes of connections that no protocol recognised."},
    {"waggle.capture.read_failed", "counter", "", "Reads of a program's memory that failed."},
    {"waggle.capture.unreadable", "counter", "",
     "Calls that move bytes outside a program's memory."},
    {"waggle.requests.seen", "counter", "protocol", "Requests with a readable head."},
    {"waggle.requests.exported", "counter", "protocol", "Requests that became spans."},
    {"waggle.turns.lost", "counter", "cause, protocol",
     "Turns of a conversation that could not be read."},
    {"waggle.undecoded.connections", "counter", "process.pid, service.name",
     "Connections that no protocol recognised."},
    {"waggle.undecoded.size", "counter", "process.pid, service.name",
     "Bytes that no protocol recognised, until their connection was muted."},
    {"waggle.spans.joined", "counter", "", "Server spans whose caller on this host was found."},
    {"waggle.spans.lost", "counter", "cause", "Spans lost between the agent's threads."},
    {"waggle.spans.unowned", "counter", "", "Spans of processes that are not selected."},
    {"waggle.spans.filtered", "counter", "", "Spans that the filters left out."},
    {"waggle.export.sent", "counter", "exporter, signal",
     "Spans or metric points that a back end accepted."},
    {"waggle.export.skipped", "counter", "exporter, signal",
     "Spans not sampled, ignored or switched off."},
    {"waggle.export.queued", "gauge", "exporter, signal", "Spans or metric points on their way."},
    {"waggle.export.retries", "counter", "exporter, signal",
     "Tries after a first one that failed."},
    {"waggle.export.dropped", "counter", "cause, exporter, signal",
     "Spans or metric points that never arrived."},
};

}  // namespace

std::span<const SelfDescription> self_descriptions() { return kRows; }

std::string_view self_description(std::string_view name) {
    const auto* row = std::ranges::find(kRows, name, &SelfDescription::name);
    return row == std::end(kRows) ? std::string_view() : row->text;
}

}  // namespace waggle::metrics
