// SPDX-License-Identifier: Apache-2.0
#include "agent/reader.h"

#include <pthread.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/clock.h"

namespace waggle::agent {
namespace {

constexpr std::size_t kBatchSpans = 512;
constexpr std::uint32_t kMaxTails = 65536;
constexpr std::uint64_t kBatchNs = 50'000'000;
constexpr std::uint64_t kPublishNs = 1'000'000'000;
constexpr std::uint64_t kRestNs = 1'000'000'000;

constexpr std::string_view kCauses[] = {"parse_invalid",    "hole",      "unmatched",  "rule_cut",    "queue_full",
                                        "unknown_protocol", "encrypted", "compressed", "memory_limit"};
constexpr std::string_view kUnbound[] = {"no_socket", "no_room"};
static_assert(std::size(kUnbound) == static_cast<std::size_t>(protocols::Unbound::kCount));
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
          refused{self.counter("waggle.connections.refused")},
          refused_requests{self.counter("waggle.requests.missed", {{"cause", "memory_limit"}})},
          rules_failed{self.counter("waggle.rules.failed")},
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
                row.causes.push_back(
                    {self.counter("waggle.turns.lost", {{"cause", std::string(cause)}, {"protocol", name}})});
            protocols.push_back(std::move(row));
        }
        for (const std::string_view cause : kUnbound) {
            const metrics::SelfMetrics::Labels labels{{"cause", std::string(cause)}};
            unbound.push_back({{self.counter("waggle.tls.unbound", labels)},
                               {self.counter("waggle.tls.unbound.size", labels, "By")}});
        }
    }

    struct Unreadable {
        Value connections;
        Value bytes;
    };
    std::map<protocols::UnreadableKey, Unreadable> unreadable;
    struct Unbound {
        Value events;
        Value bytes;
    };
    std::vector<Unbound> unbound;  // by cause
    Value events, malformed, gaps, unknown, evicted, refused, refused_requests, rules_failed, joined;
    metrics::SelfValue& dropped;
    metrics::SelfValue& connections;
    metrics::SelfValue& open;
    std::vector<ByProtocol> protocols;
};

Result<std::unique_ptr<Reader>> Reader::start(ReaderOptions options, sensors::Capture& capture, BatchFlow& flow,
                                              metrics::SelfMetrics& self, Ledger& ledger) {
    const std::size_t index = options.ring;
    std::unique_ptr<Reader> reader(new Reader(std::move(options), capture, flow, self, ledger));
    Reader* raw = reader.get();
    reader->ring_ =
        TRY(sensors::RingReader::open(capture.ring_fd(index), sensors::RingReader::Woken::WhenAsked,
                                      [raw](std::span<const std::byte> record) { raw->on_record(record); }));
    if (raw->options_.recorder)
        raw->options_.recorder->settings(raw->ring_number(),
                                         {.tracker = raw->options_.tracker, .wall_offset_ns = wall_offset_ns()});
    reader->thread_ = std::jthread([raw](std::stop_token stop) { raw->run(stop); });
    return reader;
}

Reader::Reader(ReaderOptions options, sensors::Capture& capture, BatchFlow& flow, metrics::SelfMetrics& self,
               Ledger& ledger)
    : options_(std::move(options)),
      capture_(capture),
      flow_(flow),
      self_(self),
      page_(ledger),
      tracker_(options_.tracker),
      pace_(options_.tick, options_.ring_bytes),
      batch_(flow.take_empty()),
      tail_order_(options_.ring_bytes / sizeof(wg_data_event)),
      published_(std::make_unique<Published>(self)) {}

Reader::~Reader() { stop(); }

void Reader::request_stop() { thread_.request_stop(); }

void Reader::stop() {
    if (!thread_.joinable()) return;
    request_stop();
    thread_.join();
}

void Reader::run(std::stop_token stop) {
    ::pthread_setname_np(::pthread_self(), "reader");
    while (!stop.stop_requested()) {
        ring_->wait(pace_.wait());
        take();
        const std::uint64_t now = monotonic_now();
        tick(now);
        pace_.note(std::exchange(has_news_, false), std::exchange(bytes_, 0), now);
        capture_.set_calm(options_.ring, pace_.is_calm());
    }
    // The sensors are detached: what the ring still holds is the last there is.
    std::uint64_t now = 0;
    int taken = 0;
    do {
        taken = take();
        tick(now = monotonic_now());
    } while (taken > 0);  // … and once more, for the tails of what was the last
    tracker_.finish(now, *batch_);
    hand_on();
    publish(now);
}

void Reader::on_record(std::span<const std::byte> record) {
    if (options_.recorder) options_.recorder->event(ring_number(), record);
    bytes_ += record.size();
    wg_event_type type{};
    std::memcpy(&type, record.data(), std::min(record.size(), sizeof(type)));
    has_news_ |= type == WG_EVENT_CONNECTION || type == WG_EVENT_PLAIN;
    tracker_.on_event(record, *batch_);
    if (batch_->size() >= kBatchSpans) hand_on();
}

// What is in the ring, and the tails that go with it.
int Reader::take() {
    if (!tail_order_.is_waiting() && tracker_.wants_tails()) {
        tail_count_ = capture_.tails().read_all(tail_keys_, tails_, kMaxTails);
        tail_order_.read();
    }
    const int taken = ring_->consume();
    if (!tail_order_.take(taken)) return taken;
    for (std::size_t i = 0; i < tail_count_; ++i) {
        if (options_.recorder) options_.recorder->tail(ring_number(), tail_keys_[i], tails_[i]);
        tracker_.on_tail(tail_keys_[i], tails_[i], *batch_);
    }
    return taken;
}

void Reader::tick(std::uint64_t now_ns) {
    capture_.beat(now_ns);
    tracker_.set_shedding(is_shedding_.load(std::memory_order_relaxed));
    if (options_.recorder) options_.recorder->tick(ring_number(), now_ns);
    tracker_.on_tick(now_ns, *batch_);
    // The budget looks at them more often than they are published.
    connections_.store(tracker_.connections(), std::memory_order_relaxed);
    if (options_.on_tls)
        for (const std::uint32_t pid : tracker_.tls_seen()) options_.on_tls(pid);
    tracker_.tls_seen().clear();
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
    auto& gone = tracker_.gone_rules();
    if (changes.empty() && gone.empty()) return;
    rule_keys_.clear();
    rules_.clear();
    for (const protocols::RuleChange& change : changes) {
        rule_keys_.push_back(change.connection);
        rules_.push_back(change.rules);
    }
    changes.clear();
    // One that finds no room leaves its connection with the rule that it had.
    if (!capture_.rules().set_all(rule_keys_, rules_))
        for (std::size_t i = 0; i < rules_.size(); ++i)
            rules_failed_ += !capture_.rules().set(rule_keys_[i], rules_[i]);
    for (const std::uint64_t connection : gone) capture_.rules().remove(connection);
    gone.clear();
    if (rule_keys_.empty()) return;
    has_news_ = true;
    capture_.publish_rules();
}

void Reader::hand_on() {
    if (batch_->is_empty()) return;
    page_.hand_on(*batch_);
    if (auto dropped = flow_.full.push(std::move(batch_))) {
        published_->dropped.add(static_cast<std::int64_t>((*dropped)->size()));
        page_.drop(**dropped);
        flow_.give_back(std::move(*dropped));
    }
    batch_ = flow_.take_empty();
}

void Reader::add_open(OpenByProcess& sums) const {
    std::lock_guard lock(published_mutex_);
    for (const auto& [kind, count] : open_by_process_) sums[kind] += count;
}

void Reader::publish(std::uint64_t now_ns) {
    last_publish_ns_ = now_ns;
    const protocols::TrackerStats& stats = tracker_.stats();
    published_->events.update(stats.events);
    published_->malformed.update(stats.malformed);
    published_->gaps.update(stats.gap_bytes);
    published_->unknown.update(stats.unknown_connection);
    published_->evicted.update(stats.evicted);
    published_->rules_failed.update(rules_failed_);
    for (std::size_t i = 0; i < stats.unbound.size(); ++i) {
        published_->unbound[i].events.update(stats.unbound[i].events);
        published_->unbound[i].bytes.update(stats.unbound[i].bytes);
    }
    published_->joined.update(tracker_.joined());
    OpenByProcess open_by_process;
    tracker_.visit_open([&](const spans::ProcessKey& process, std::span<const spans::Attribute> attributes) {
        OpenKind kind;
        for (const auto& [key, value] : attributes)
            if (const auto* text = std::get_if<std::string_view>(&value)) kind.emplace_back(key, *text);
        ++open_by_process[{process.pid, std::move(kind)}];
    });
    {
        std::lock_guard lock(published_mutex_);
        open_by_process_ = std::move(open_by_process);
    }
    const std::uint64_t open = tracker_.open_exchanges();
    open_.store(open, std::memory_order_relaxed);
    published_->connections.set(static_cast<std::int64_t>(tracker_.connections()));
    published_->refused.update(stats.refused);
    published_->refused_requests.update(stats.refused_requests);
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
    page_.publish(tracker_, *batch_);
}

// A process is registered with a port when something there could not be read; the tracker bounds how many.
void Reader::publish_unreadable() {
    for (const auto& [key, counts] : tracker_.unreadable()) {
        auto found = published_->unreadable.find(key);
        if (found == published_->unreadable.end()) {
            const metrics::SelfMetrics::Labels labels{
                {"process.pid", std::to_string(key.pid)},
                {"service.name", options_.service_of ? options_.service_of(key.pid) : std::string()},
                {"server.port", key.server_port ? std::to_string(key.server_port) : std::string()}};
            found = published_->unreadable
                        .emplace(key, Published::Unreadable{{self_.counter("waggle.undecoded.connections", labels)},
                                                            {self_.counter("waggle.undecoded.size", labels, "By")}})
                        .first;
        }
        found->second.connections.update(counts.connections);
        found->second.bytes.update(counts.bytes);
    }
}

}  // namespace waggle::agent
