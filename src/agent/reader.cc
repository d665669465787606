// SPDX-License-Identifier: Apache-2.0
#include "agent/reader.h"

#include <pthread.h>

#include <string>
#include <unordered_map>

#include "base/clock.h"

namespace waggle::agent {
namespace {

constexpr std::size_t kBatchSpans = 512;
constexpr std::uint32_t kMaxTails = 65536;
constexpr std::uint64_t kBatchNs = 50'000'000;
constexpr std::uint64_t kPublishNs = 1'000'000'000;
constexpr std::uint64_t kRestNs = 1'000'000'000;

constexpr std::string_view kCauses[] = {"parse_invalid", "hole",       "unmatched",
                                        "rule_cut",      "queue_full", "unknown_protocol",
                                        "encrypted",     "compressed"};
static_assert(std::size(kCauses) == static_cast<std::size_t>(protocols::Cause::kCount));

}  // namespace

// The self metrics this reader adds to. Several readers add to the same ones, so each remembers what
// it has added.
struct Reader::Published {
    struct Value {
        metrics::SelfValue& target;
        std::uint64_t last = 0;
        void update(std::uint64_t now) {
            target.add(static_cast<std::int64_t>(now - last));
            last = now;
        }
    };
    struct ByProtocol {
        Value seen;
        Value exported;
        std::vector<Value> causes;
    };

    explicit Published(metrics::SelfMetrics& self)
        : events{self.counter("waggle.events.read")},
          malformed{self.counter("waggle.events.malformed")},
          gaps{self.counter("waggle.capture.gap", {}, "By")},
          unknown{self.counter("waggle.connections.unknown")},
          evicted{self.counter("waggle.connections.evicted")},
          joined{self.counter("waggle.spans.joined")},
          dropped(self.counter("waggle.spans.lost", {{"cause", "channel_full"}})),
          connections(self.gauge("waggle.connections.tracked")),
          open(self.gauge("waggle.exchanges.open")) {
        for (const protocols::Protocol* protocol : protocols::all()) {
            const std::string name(protocol->name);
            ByProtocol row{{self.counter("waggle.requests.seen", {{"protocol", name}})},
                           {self.counter("waggle.requests.exported", {{"protocol", name}})},
                           {}};
            for (const std::string_view cause : kCauses)
                row.causes.push_back({self.counter("waggle.turns.lost",
                                                   {{"cause", std::string(cause)}, {"protocol", name}})});
            protocols.push_back(std::move(row));
        }
    }

    struct Unreadable {
        Value connections;
        Value bytes;
    };
    std::unordered_map<std::uint32_t, Unreadable> unreadable;  // by pid
    Value events, malformed, gaps, unknown, evicted, joined;
    metrics::SelfValue& dropped;
    metrics::SelfValue& connections;
    metrics::SelfValue& open;
    std::vector<ByProtocol> protocols;
};

Result<std::unique_ptr<Reader>> Reader::start(ReaderOptions options, sensors::Capture& capture,
                                              BatchFlow& flow, metrics::SelfMetrics& self) {
    const std::size_t index = options.ring;
    std::unique_ptr<Reader> reader(new Reader(std::move(options), capture, flow, self));
    Reader* raw = reader.get();
    reader->ring_ = TRY(sensors::RingReader::open(
        capture.ring_fd(index), [raw](std::span<const std::byte> record) {
            if (raw->options_.recorder) raw->options_.recorder->event(raw->ring_number(), record);
            raw->tracker_.on_event(record, *raw->batch_);
            if (raw->batch_->size() >= kBatchSpans) raw->hand_on();
        }));
    if (raw->options_.recorder)
        raw->options_.recorder->settings(raw->ring_number(),
                                         {.tracker = raw->options_.tracker, .wall_offset_ns = wall_offset_ns()});
    reader->thread_ = std::jthread([raw](std::stop_token stop) { raw->run(stop); });
    return reader;
}

Reader::Reader(ReaderOptions options, sensors::Capture& capture, BatchFlow& flow, metrics::SelfMetrics& self)
    : options_(std::move(options)),
      capture_(capture),
      flow_(flow),
      self_(self),
      tracker_(options_.tracker),
      batch_(flow.take_empty()),
      published_(std::make_unique<Published>(self)) {}

Reader::~Reader() { stop(); }

void Reader::stop() {
    if (!thread_.joinable()) return;
    thread_.request_stop();
    thread_.join();
}

void Reader::run(std::stop_token stop) {
    ::pthread_setname_np(::pthread_self(), "reader");
    while (!stop.stop_requested()) {
        ring_->wait_and_consume(options_.tick);
        tick(monotonic_now());
    }
    // The sensors are detached: what the ring still holds is the last there is.
    ring_->consume();
    const std::uint64_t now = monotonic_now();
    tick(now);
    tracker_.finish(now, *batch_);
    hand_on();
    publish(now);
}

void Reader::tick(std::uint64_t now_ns) {
    capture_.beat(now_ns);
    if (tracker_.wants_tails()) {
        const std::size_t count = capture_.tails().read_all(tail_keys_, tails_, kMaxTails);
        for (std::size_t i = 0; i < count; ++i) {
            if (options_.recorder) options_.recorder->tail(ring_number(), tail_keys_[i], tails_[i]);
            tracker_.on_tail(tail_keys_[i], tails_[i], *batch_);
        }
    }
    if (options_.recorder) options_.recorder->tick(ring_number(), now_ns);
    tracker_.on_tick(now_ns, *batch_);
    remove_tails(now_ns);
    write_rules();
    // Each batch wakes the pipeline: under load, what comes in a few ticks goes together.
    if (!batch_->is_empty() && now_ns >= last_hand_on_ns_ + kBatchNs) {
        last_hand_on_ns_ = now_ns;
        hand_on();
    }
    if (now_ns >= last_publish_ns_ + kPublishNs) publish(now_ns);
}

// The kernel's side takes the entry itself when the next turn begins, and may have begun the next one's
// already: only what has rested is removed, and only while it is still the same.
void Reader::remove_tails(std::uint64_t now_ns) {
    for (const protocols::DoneTail& tail : tracker_.done_tails())
        if (resting_keys_.insert({tail.key.connection, tail.key.direction}).second)
            resting_tails_.push_back({tail, now_ns + kRestNs});
    tracker_.done_tails().clear();
    for (; !resting_tails_.empty() && resting_tails_.front().second <= now_ns; resting_tails_.pop_front()) {
        const protocols::DoneTail& done = resting_tails_.front().first;
        resting_keys_.erase({done.key.connection, done.key.direction});
        wg_tail now{};
        if (capture_.tails().get(done.key, now) && now.turn == done.turn) capture_.tails().remove(done.key);
    }
}

void Reader::write_rules() {
    auto& changes = tracker_.rule_changes();
    if (changes.empty()) return;
    rule_keys_.clear();
    rules_.clear();
    for (const protocols::RuleChange& change : changes) {
        rule_keys_.push_back(change.connection);
        rules_.push_back(change.rules);
    }
    changes.clear();
    capture_.rules().set_all(rule_keys_, rules_);
    capture_.publish_rules();
}

void Reader::hand_on() {
    if (batch_->is_empty()) return;
    if (auto dropped = flow_.full.push(std::move(batch_))) {
        published_->dropped.add(static_cast<std::int64_t>((*dropped)->size()));
        dropped_.fetch_add((*dropped)->size(), std::memory_order_relaxed);
        flow_.give_back(std::move(*dropped));
    }
    batch_ = flow_.take_empty();
}

std::shared_ptr<const OpenByProcess> Reader::open_by_process() const {
    std::lock_guard lock(published_mutex_);
    return open_by_process_;
}

void Reader::publish(std::uint64_t now_ns) {
    last_publish_ns_ = now_ns;
    const protocols::TrackerStats& stats = tracker_.stats();
    published_->events.update(stats.events);
    published_->malformed.update(stats.malformed);
    published_->gaps.update(stats.gap_bytes);
    published_->unknown.update(stats.unknown_connection);
    published_->evicted.update(stats.evicted);
    published_->joined.update(tracker_.joined());
    auto open_by_process = std::make_shared<OpenByProcess>();
    tracker_.visit_open([&](const spans::ProcessKey& process, std::span<const spans::Attribute> attributes) {
        OpenKind kind;
        for (const auto& [key, value] : attributes)
            if (const auto* text = std::get_if<std::string_view>(&value)) kind.emplace_back(key, *text);
        ++(*open_by_process)[{process.pid, std::move(kind)}];
    });
    {
        std::lock_guard lock(published_mutex_);
        open_by_process_ = std::move(open_by_process);
    }
    const std::uint64_t open = tracker_.open_exchanges();
    open_.store(open, std::memory_order_relaxed);
    published_->connections.set(static_cast<std::int64_t>(tracker_.connections()));
    published_->open.set(static_cast<std::int64_t>(open));
    publish_unreadable();
    for (std::size_t i = 0; i < published_->protocols.size(); ++i) {
        Published::ByProtocol& row = published_->protocols[i];
        const protocols::Counts& counts = tracker_.counts()[i];
        row.seen.update(counts.seen);
        row.exported.update(counts.exported);
        for (std::size_t cause = 0; cause < row.causes.size(); ++cause)
            row.causes[cause].update(counts.by_cause[cause]);
    }
}

// A process is registered when something of it could not be read; the tracker bounds how many.
void Reader::publish_unreadable() {
    for (const auto& [pid, counts] : tracker_.unreadable()) {
        auto found = published_->unreadable.find(pid);
        if (found == published_->unreadable.end()) {
            const metrics::SelfMetrics::Labels labels{
                {"process.pid", std::to_string(pid)},
                {"service.name", options_.service_of ? options_.service_of(pid) : std::string()}};
            found = published_->unreadable
                        .emplace(pid, Published::Unreadable{{self_.counter("waggle.undecoded.connections", labels)},
                                                            {self_.counter("waggle.undecoded.size", labels, "By")}})
                        .first;
        }
        found->second.connections.update(counts.connections);
        found->second.bytes.update(counts.bytes);
    }
}

}  // namespace waggle::agent
