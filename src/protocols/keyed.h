// SPDX-License-Identifier: Apache-2.0
// KeyedSession: what sessions share whose requests and responses carry an id that pairs them, in any order:
// the open exchanges, their traces, ages and reports. A protocol derives from it and reads the bytes.
//
// A Codec gives:  Request, Response types; Key;
//   trace_context(request), describe(exchange, info, options, batch, span)
//   memory(request), where it keeps texts of its own: their bytes
//   is_in_gauge(request), open_attributes(request): what the gauge of open exchanges says of it
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "protocols/exchange_span.h"
#include "protocols/protocol.h"

namespace waggle::protocols {

// Exchanges by id. Ids mostly grow, so that a sorted vector serves; exchanges are recycled with their memory.
template <typename Codec>
class KeyedExchanges {
  public:
    using Key = typename Codec::Key;
    struct Entry {
        Key key;
        Exchange<Codec>* exchange;
    };

    std::size_t size() const { return entries_.size(); }
    const std::vector<Entry>& entries() const { return entries_; }

    Exchange<Codec>* find(Key key) const {
        const auto at = place(key);
        return at != entries_.end() && at->key == key ? at->exchange : nullptr;
    }

    // The key must not be there.
    Exchange<Codec>& add(Key key) {
        if (free_.empty()) free_.push_back(&pool_.emplace_back());
        Exchange<Codec>* fresh = free_.back();
        free_.pop_back();
        fresh->renew();
        entries_.insert(place(key), {key, fresh});
        return *fresh;
    }

    // Once its request is known.
    void weigh(Exchange<Codec>& exchange) {
        if constexpr (requires { Codec::memory(exchange.request); }) {
            text_bytes_ -= exchange.text_bytes;
            text_bytes_ += exchange.text_bytes = Codec::memory(exchange.request);
        }
    }
    std::size_t memory() const {
        return pool_.size() * sizeof(Exchange<Codec>) + entries_.capacity() * sizeof(Entry) + text_bytes_;
    }
    // While none is open.
    void shrink() {
        if (!entries_.empty() || pool_.size() <= kKept) return;
        free_ = {};
        pool_.clear();
        entries_ = {};
        text_bytes_ = 0;
    }

    void erase(Key key) {
        const auto at = place(key);
        if (at == entries_.end() || at->key != key) return;
        free_.push_back(at->exchange);
        entries_.erase(at);
    }

  private:
    static constexpr std::size_t kKept = 4;

    auto place(Key key) const {
        if (entries_.empty() || entries_.back().key < key) return entries_.end();
        return std::ranges::lower_bound(entries_, key, {}, &Entry::key);
    }

    std::deque<Exchange<Codec>> pool_;
    std::vector<Exchange<Codec>*> free_;
    std::vector<Entry> entries_;
    std::size_t text_bytes_ = 0;
};

template <typename Codec>
class KeyedSession : public Session {
  public:
    static constexpr std::size_t kMaxOpen = 4096;
    // After this long the event that began an answer may have been lost: its tail tells.
    static constexpr std::uint64_t kSlowNs = 100'000'000;

    void on_tick(Context& context) override {
        is_slow_ = false;
        for (const auto& [key, exchange] : open_.entries()) {
            is_slow_ |= exchange->start_ns + kSlowNs < context.now_ns;
            check_age(*exchange, info_, context);
        }
    }
    std::size_t open_exchanges() const override { return open_.size(); }
    std::size_t unreported() const override {
        return static_cast<std::size_t>(
            std::ranges::count_if(open_.entries(), [](const auto& entry) { return !entry.exchange->is_reported; }));
    }
    void visit_open(const OpenVisitor& visit) const override {
        for (const auto& [key, exchange] : open_.entries())
            if (Codec::is_in_gauge(exchange->request)) visit(Codec::open_attributes(exchange->request));
    }
    bool wants_tails() const override { return is_slow_; }
    std::size_t memory() const override { return open_.memory(); }
    void shrink() override { open_.shrink(); }
    void set_thread(std::uint64_t thread) override { thread_ = thread; }

  protected:
    using Key = typename Codec::Key;
    using Open = Exchange<Codec>;

    explicit KeyedSession(const ConnectionInfo& info) : info_(info) {}

    // A request whose head has been read; the caller fills in what it knows and calls begin.
    Open& open(Key key, Context& context) {
        if (open_.size() >= kMaxOpen) {
            // An answer that was lost would hold its place for ever: the oldest goes.
            context.counts.add(Cause::QueueFull);
            const auto [oldest, exchange] = open_.entries().front();
            set_incomplete(*exchange, spans::Incomplete::Hole);
            finish(oldest, *exchange, context, context.now_ns);
        }
        Open& exchange = open_.add(key);
        exchange.thread = info_.threads_are_contexts ? thread_ : 0;
        exchange.process = info_.process;
        return exchange;
    }

    void begin(Open& exchange, Context& context) {
        ++context.counts.seen;
        open_.weigh(exchange);
        open_traces(exchange, info_, context);
    }

    // Gives the exchange out as a span and forgets it.
    void finish(Key key, Open& exchange, Context& context, std::uint64_t end_ns) {
        exchange.end_ns = std::max(end_ns, exchange.start_ns);
        report(exchange, info_, context);
        open_.erase(key);
    }

    static void set_incomplete(Open& exchange, spans::Incomplete reason) {
        if (exchange.incomplete == spans::Incomplete::No) exchange.incomplete = reason;
    }

    const ConnectionInfo& info_;
    KeyedExchanges<Codec> open_;

  private:
    std::uint64_t thread_ = 0;
    bool is_slow_ = false;
};

}  // namespace waggle::protocols
