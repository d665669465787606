// SPDX-License-Identifier: Apache-2.0
#include "metrics/self_descriptions.h"

#include <algorithm>
#include <iterator>

namespace waggle::metrics {
namespace {

constexpr SelfDescription kRows[] = {
    {"waggle.build.info", "gauge", "version", "Always 1; the version is its label."},
    {"waggle.processes.watched", "gauge", "", "Processes that are watched."},
    {"waggle.processes.unwatched", "counter", "",
     "Processes that are selected, but found the kernel's table of targets full."},
    {"waggle.connections.tracked", "gauge", "", "Connections that are followed."},
    {"waggle.connections.unknown", "counter", "", "Events of connections that were never announced."},
    {"waggle.connections.evicted", "counter", "",
     "Connections forgotten since there were too many, or memory was short."},
    {"waggle.connections.refused", "counter", "",
     "Connections that are not followed since memory was short when they began."},
    {"waggle.memory.limit", "gauge", "", "Bytes that the agent may use: `memory_limit`."},
    {"waggle.memory.usage", "gauge", "part",
     "Bytes in use: the process's own pages, and BPF maps with what they keep beside sockets."},
    {"waggle.memory.pressure", "gauge", "",
     "1: no metric series are added; 2: new connections are not followed, and those that rest longest are forgotten."},
    {"waggle.cpu.time", "counter", "", "Processor time of the agent itself."},
    {"waggle.overload.step", "gauge", "",
     "What `cpu_limit` makes it do: 1: at most 512 bytes of a call are copied; 2: one trace in ten is exported; 3: "
     "requests are only counted and timed, in the kernel."},
    {"waggle.probe.timed.runs", "counter", "",
     "Runs of the programs in watched services whose time was taken: one in 64 or so."},
    {"waggle.probe.timed.duration", "counter", "", "… and how long they took."},
    {"waggle.exchanges.open", "gauge", "", "Requests whose response has not ended."},
    {"waggle.events.emitted", "counter", "", "Events the kernel's side reported."},
    {"waggle.events.read", "counter", "", "Events read from the rings."},
    {"waggle.events.malformed", "counter", "", "Events that could not be read."},
    {"waggle.events.lost", "counter", "cause", "Events lost in the kernel."},
    {"waggle.capture.lost", "counter", "cause", "Bytes of traffic that lost events reported."},
    {"waggle.events.counted", "counter", "", "Calls that were only counted, over `cpu_limit`."},
    {"waggle.capture.counted", "counter", "", "… and their bytes."},
    {"waggle.requests.counted", "counter", "", "Requests that were only counted and timed, over `cpu_limit`."},
    {"waggle.requests.counted.unanswered", "counter", "", "… of which no answer was seen."},
    {"waggle.counted.request.duration", "histogram", "server.port, waggle.role",
     "Requests that were counted and timed in the kernel, over `cpu_limit`: of the service, not the agent."},
    {"waggle.capture.gap", "counter", "", "Bytes of traffic that no event reported."},
    {"waggle.capture.muted", "counter", "", "Bytes of connections that no protocol recognised."},
    {"waggle.capture.read_failed", "counter", "", "Reads of a program's memory that failed."},
    {"waggle.capture.unreadable", "counter", "", "Calls that move bytes outside a program's memory."},
    {"waggle.requests.seen", "counter", "protocol", "Requests with a readable head."},
    {"waggle.requests.missed", "counter", "cause",
     "Turns of requests of which no event tells: a request each, unless several were sent in one go."},
    {"waggle.requests.exported", "counter", "protocol", "Requests that became spans."},
    {"waggle.requests.ended", "counter", "end, protocol",
     "Where requests have gone that were seen: exported (as traces), sampled_out and aggregated (metrics alone), "
     "filtered, unowned, channel_full."},
    {"waggle.requests.in_flight", "gauge", "protocol", "Requests that were seen and whose end has not come."},
    {"waggle.requests.unaccounted", "gauge", "protocol",
     "Requests that were seen and are neither in flight nor have ended: 0, or a mistake in the agent."},
    {"waggle.turns.lost", "counter", "cause, protocol", "Turns of a conversation that could not be read."},
    {"waggle.undecoded.connections", "counter", "process.pid, service.name, server.port",
     "Connections that no protocol recognised."},
    {"waggle.undecoded.size", "counter", "process.pid, service.name, server.port",
     "Bytes that no protocol recognised, until their connection was muted."},
    {"waggle.tls.processes", "gauge", "", "Processes whose TLS libraries are read."},
    {"waggle.rules.failed", "counter", "",
     "Capture rules that found no room: their connections are captured as before."},
    {"waggle.tls.attach.failed", "counter", "", "TLS libraries of a process that could not be probed."},
    {"waggle.tls.fingerprints", "counter", "", "Processes whose TLS library has no symbols and was found by its code."},
    {"waggle.tls.files.examined", "counter", "", "Files of processes that were looked through for TLS libraries."},
    {"waggle.tls.files.remembered", "counter", "", "Files of which the agent's cache folder told what they are."},
    {"waggle.tls.unbound", "counter", "cause",
     "Calls of a TLS library whose socket was not found, or more than could wait for it."},
    {"waggle.tls.unbound.size", "counter", "cause", "Bytes of plaintext that were dropped with them."},
    {"waggle.spans.joined", "counter", "", "Server spans whose caller on this host was found."},
    {"waggle.spans.lost", "counter", "cause", "Spans lost between the agent's threads."},
    {"waggle.spans.unowned", "counter", "", "Spans of processes that are not selected."},
    {"waggle.spans.filtered", "counter", "", "Spans that the filters left out."},
    {"waggle.export.sent", "counter", "exporter, signal", "Spans or metric points that a back end accepted."},
    {"waggle.export.skipped", "counter", "exporter, signal", "Spans not sampled, ignored or switched off."},
    {"waggle.export.queued", "gauge", "exporter, signal", "Spans or metric points on their way."},
    {"waggle.export.retries", "counter", "exporter, signal", "Tries after a first one that failed."},
    {"waggle.export.unaccounted", "gauge", "",
     "Spans that were given to an exporter and are not sent, queued or dropped: 0 while nothing is under way."},
    {"waggle.export.dropped", "counter", "cause, exporter, signal", "Spans or metric points that never arrived."},
};

}  // namespace

std::span<const SelfDescription> self_descriptions() { return kRows; }

std::string_view self_description(std::string_view name) {
    const auto* row = std::ranges::find(kRows, name, &SelfDescription::name);
    return row == std::end(kRows) ? std::string_view() : row->text;
}

}  // namespace waggle::metrics
