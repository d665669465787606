// SPDX-License-Identifier: Apache-2.0
#include "exporters/delivery.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <random>
#include <thread>

#include "base/log.h"
#include "exporters/backoff.h"
#include "spans/span_copy.h"

namespace waggle::exporters {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

struct Item {
    std::unique_ptr<spans::SpanBatch> spans;
    std::unique_ptr<metrics::Snapshot> metrics;
    std::size_t size() const { return spans ? spans->size() : metrics->points(); }
};

// Where the items of one signal end.
struct Accounts {
    Accounts(metrics::SelfMetrics& self, std::string_view exporter, std::string_view signal)
        : sent(self.counter("waggle.export.sent", labels(exporter, signal))),
          retries(self.counter("waggle.export.retries", labels(exporter, signal))),
          queued(self.gauge("waggle.export.queued", labels(exporter, signal))),
          skipped(self.counter("waggle.export.skipped", labels(exporter, signal))),
          queue_full(dropped(self, exporter, signal, "queue_full")),
          superseded(dropped(self, exporter, signal, "superseded")),
          export_failed(dropped(self, exporter, signal, "export_failed")),
          rejected(dropped(self, exporter, signal, "rejected")),
          shutdown(dropped(self, exporter, signal, "shutdown")) {}

    static metrics::SelfMetrics::Labels labels(std::string_view exporter, std::string_view signal) {
        return {{"exporter", std::string(exporter)}, {"signal", std::string(signal)}};
    }
    static metrics::SelfValue& dropped(metrics::SelfMetrics& self, std::string_view exporter, std::string_view signal,
                                       std::string_view cause) {
        auto all = labels(exporter, signal);
        all.emplace_back("cause", cause);
        return self.counter("waggle.export.dropped", std::move(all));
    }

    metrics::SelfValue& sent;
    metrics::SelfValue& retries;
    metrics::SelfValue& queued;   // taken in, and neither sent nor dropped yet
    metrics::SelfValue& skipped;  // not sampled, ignored, or of an instrumentation that is off
    metrics::SelfValue& queue_full;
    metrics::SelfValue& superseded;
    metrics::SelfValue& export_failed;
    metrics::SelfValue& rejected;
    metrics::SelfValue& shutdown;
};

// A later snapshot says everything that an earlier one does.
bool is_cumulative(const metrics::Snapshot& snapshot) {
    for (const auto& resource : snapshot.resources)
        for (const auto& metric : resource.metrics)
            if (metric.temporality == metrics::Temporality::Delta) return false;
    return true;
}

}  // namespace

struct Delivery::State {
    State(std::unique_ptr<Exporter> exporter, DeliveryOptions options, metrics::SelfMetrics& self)
        : exporter(std::move(exporter)),
          options(options),
          span_accounts(self, this->exporter->name(), "spans"),
          point_accounts(self, this->exporter->name(), "metrics"),
          random(options.seed) {}

    Accounts& accounts(const Item& item) { return item.spans ? span_accounts : point_accounts; }

    // All of these with the lock held.
    void seal();
    void enqueue(Item item);
    void make_room(std::size_t spans);
    void drop(const Item& item, metrics::SelfValue& cause);
    bool is_idle() const { return queue.empty() && open_size() == 0 && !is_sending; }
    std::size_t open_size() const { return open ? open->size() : 0; }
    bool is_open_full() const {
        return open->size() >= batch_size() || (options.max_bytes > 0 && open->memory() >= options.max_bytes / 4);
    }
    std::uint32_t batch_size() const { return std::clamp(options.max_queue / 2, 1u, std::max(options.max_batch, 1u)); }

    // The worker.
    void run();
    std::optional<Item> next(std::unique_lock<std::mutex>& lock);
    void deliver(Item& item);
    void change_exporter();
    bool wait_to_retry(milliseconds wait, bool& has_hurried);
    void note(const Outcome& outcome);

    std::unique_ptr<Exporter> exporter;  // the worker changes it, with the lock held
    std::unique_ptr<Exporter> next_exporter;
    const DeliveryOptions options;
    Accounts span_accounts;
    Accounts point_accounts;
    std::minstd_rand random;

    std::mutex mutex;
    std::condition_variable wake;  // of the worker
    std::condition_variable idle;  // of flush
    std::unique_ptr<spans::SpanBatch> open;
    Clock::time_point open_since;
    std::deque<Item> queue;
    std::size_t queued_spans = 0;  // in queue, without open
    std::size_t queued_bytes = 0;
    std::vector<std::unique_ptr<spans::SpanBatch>> spare;
    bool is_sending = false;
    bool is_flushing = false;
    bool is_stopping = false;  // no more input; send what is there
    bool is_abandoned = false;
    bool is_failing = false;  // said so in the log
    std::thread thread;
};

void Delivery::State::seal() {
    if (open_size() == 0) return;
    queued_spans += open->size();
    queued_bytes += open->memory();
    queue.push_back({.spans = std::move(open)});
}

void Delivery::State::drop(const Item& item, metrics::SelfValue& cause) {
    cause.add(static_cast<std::int64_t>(item.size()));
    accounts(item).queued.add(-static_cast<std::int64_t>(item.size()));
}

// Drops the oldest spans until that many more may wait.
void Delivery::State::make_room(std::size_t spans) {
    const auto is_full = [&] {
        if (queued_spans + open_size() + spans > std::max(options.max_queue, 1u)) return true;
        return options.max_bytes > 0 && queued_bytes + (open ? open->memory() : 0) > options.max_bytes;
    };
    while (is_full()) {
        const auto oldest =
            std::find_if(queue.begin(), queue.end(), [](const Item& item) { return item.spans != nullptr; });
        if (oldest == queue.end()) {
            seal();
            if (queue.empty()) return;
            continue;
        }
        drop(*oldest, span_accounts.queue_full);
        queued_spans -= oldest->size();
        queued_bytes -= oldest->spans->memory();
        oldest->spans->clear();
        if (spare.size() < 2) spare.push_back(std::move(oldest->spans));
        queue.erase(oldest);
    }
}

void Delivery::State::enqueue(Item item) {
    const auto is_metrics = [](const Item& queued) { return queued.metrics != nullptr; };
    if (is_cumulative(*item.metrics))
        std::erase_if(queue, [&](const Item& queued) {
            if (!is_metrics(queued) || !is_cumulative(*queued.metrics)) return false;
            drop(queued, point_accounts.superseded);
            return true;
        });
    while (std::count_if(queue.begin(), queue.end(), is_metrics) >=
           static_cast<std::ptrdiff_t>(std::max(options.max_snapshots, 1u))) {
        const auto oldest = std::find_if(queue.begin(), queue.end(), is_metrics);
        drop(*oldest, point_accounts.queue_full);
        queue.erase(oldest);
    }
    queue.push_back(std::move(item));
}

std::optional<Item> Delivery::State::next(std::unique_lock<std::mutex>& lock) {
    for (;;) {
        const bool is_due = open_size() > 0 && (is_flushing || is_stopping || open_size() >= batch_size() ||
                                                Clock::now() >= open_since + options.batch_timeout);
        if (queue.empty() && is_due) seal();
        if (!queue.empty() && !is_abandoned) {
            Item item = std::move(queue.front());
            queue.pop_front();
            if (item.spans) {
                queued_spans -= item.size();
                queued_bytes -= item.spans->memory();
            }
            return item;
        }
        idle.notify_all();
        if (is_stopping) return std::nullopt;
        if (open_size() > 0)
            wake.wait_until(lock, open_since + options.batch_timeout);
        else
            wake.wait(lock);
    }
}

void Delivery::State::run() {
    std::unique_lock lock(mutex);
    while (auto item = next(lock)) {
        is_sending = true;
        lock.unlock();
        deliver(*item);
        lock.lock();
        is_sending = false;
        if (item->spans && spare.size() < 2) {
            item->spans->clear();
            spare.push_back(std::move(item->spans));
        }
    }
    idle.notify_all();
}

void Delivery::State::deliver(Item& item) {
    Accounts& counts = accounts(item);
    const auto settle = [&](metrics::SelfValue& end, std::int64_t amount) {
        end.add(amount);
        counts.queued.add(-amount);
    };
    const auto size = static_cast<std::int64_t>(item.size());
    const auto began = Clock::now();
    Backoff backoff(options.backoff_initial, options.backoff_max, random);
    bool has_hurried = false;
    for (;;) {
        change_exporter();
        const Outcome outcome = item.spans ? exporter->spans(*item.spans) : exporter->metrics(*item.metrics);
        note(outcome);
        if (outcome.kind == Outcome::Kind::Accepted) {
            const auto rejected = std::min(static_cast<std::int64_t>(outcome.rejected), size);
            settle(counts.sent, size - rejected);
            settle(counts.rejected, rejected);
            return;
        }
        const milliseconds wait = outcome.after ? *outcome.after : backoff.next();
        const bool is_too_late =
            options.backoff_max_elapsed.count() > 0 && Clock::now() + wait > began + options.backoff_max_elapsed;
        if (outcome.kind == Outcome::Kind::Permanent || is_too_late) {
            settle(counts.export_failed, size);
            return;
        }
        if (!wait_to_retry(wait, has_hurried)) {
            settle(counts.shutdown, size);
            return;
        }
        counts.retries.add();
    }
}

void Delivery::State::change_exporter() {
    std::lock_guard lock(mutex);
    if (next_exporter && !is_abandoned) exporter = std::move(next_exporter);
}

// False when the end came instead. When it is near, one try goes at once; then the usual waits.
bool Delivery::State::wait_to_retry(milliseconds wait, bool& has_hurried) {
    std::unique_lock lock(mutex);
    wake.wait_for(lock, wait, [&] { return is_abandoned || next_exporter || (is_stopping && !has_hurried); });
    has_hurried = is_stopping;
    return !is_abandoned;
}

void Delivery::State::note(const Outcome& outcome) {
    const bool is_ok = outcome.kind == Outcome::Kind::Accepted;
    if (is_ok && outcome.rejected > 0)
        log::debug("{}: {} rejected: {}", exporter->name(), outcome.rejected, outcome.message);
    if (is_ok == !is_failing) return;
    is_failing = !is_ok;
    if (is_ok)
        log::info("{}: exporting again", exporter->name());
    else
        log::warn("{}: {}", exporter->name(), outcome.message);
}

Delivery::Delivery(std::unique_ptr<Exporter> exporter, DeliveryOptions options, metrics::SelfMetrics& self_metrics)
    : state_(std::make_unique<State>(std::move(exporter), options, self_metrics)) {
    state_->thread = std::thread([state = state_.get()] { state->run(); });
}

Delivery::~Delivery() { shutdown(Clock::now()); }

void Delivery::spans(const spans::SpanBatch& batch, const Wanted& wanted) {
    State& state = *state_;
    std::lock_guard lock(state.mutex);
    for (const spans::Span& span : batch) {
        if (!wanted(span)) {
            state.span_accounts.skipped.add();
            continue;
        }
        if (state.is_stopping) {
            state.span_accounts.shutdown.add();
            continue;
        }
        state.make_room(1);
        if (!state.open) {
            state.open_since = Clock::now();
            if (state.spare.empty()) {
                state.open = std::make_unique<spans::SpanBatch>();
            } else {
                state.open = std::move(state.spare.back());
                state.spare.pop_back();
            }
        }
        spans::copy_span(span, *state.open);
        state.span_accounts.queued.add();
        if (state.is_open_full()) state.seal();
    }
    state.wake.notify_one();
}

void Delivery::metrics(metrics::Snapshot snapshot) {
    State& state = *state_;
    Item item{.metrics = std::make_unique<metrics::Snapshot>(std::move(snapshot))};
    std::lock_guard lock(state.mutex);
    state.point_accounts.queued.add(static_cast<std::int64_t>(item.size()));
    if (state.is_stopping) {
        state.drop(item, state.point_accounts.shutdown);
        return;
    }
    state.enqueue(std::move(item));
    state.wake.notify_one();
}

void Delivery::replace(std::unique_ptr<Exporter> exporter) {
    std::lock_guard lock(state_->mutex);
    state_->next_exporter = std::move(exporter);
    state_->wake.notify_one();
}

bool Delivery::flush(Clock::time_point deadline) {
    State& state = *state_;
    std::unique_lock lock(state.mutex);
    state.is_flushing = true;
    state.wake.notify_one();
    const bool is_done = state.idle.wait_until(lock, deadline, [&] { return state.is_idle(); });
    state.is_flushing = false;
    return is_done;
}

void Delivery::shutdown(Clock::time_point deadline) {
    State& state = *state_;
    if (!state.thread.joinable()) return;
    {
        std::unique_lock lock(state.mutex);
        state.is_stopping = true;
        state.wake.notify_all();
        state.idle.wait_until(lock, deadline, [&] { return state.is_idle(); });
        state.is_abandoned = true;
        state.wake.notify_all();
        state.exporter->cancel();
    }
    state.thread.join();
    state.seal();
    for (const Item& item : state.queue) state.drop(item, state.accounts(item).shutdown);
    state.queue.clear();
}

Delivery::Totals Delivery::span_totals() const {
    const Accounts& counts = state_->span_accounts;
    return {
        .sent = counts.sent.get(),
        .lost = counts.queue_full.get() + counts.export_failed.get() + counts.rejected.get() + counts.shutdown.get()};
}

}  // namespace waggle::exporters
