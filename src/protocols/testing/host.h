// SPDX-License-Identifier: Apache-2.0
// Host: a tracker with the sockets it hears of, for tests.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "protocols/testing/socket.h"
#include "protocols/tracker.h"

namespace waggle::protocols::testing {

// Over all protocols.
inline Counts sum(const std::vector<Counts>& counts) {
    Counts all;
    for (const Counts& one : counts) {
        for (std::size_t cause = 0; cause < one.by_cause.size(); ++cause) all.by_cause[cause] += one.by_cause[cause];
        all.seen += one.seen;
        all.exported += one.exported;
    }
    return all;
}

// A tracker with the sockets it hears of, as a reader thread drives it.
class Host {
  public:
    explicit Host(TrackerConfig config) : tracker_(std::move(config)) {}

    Socket& add(const SocketOptions& options) {
        auto& slot = sockets_[options.id];
        slot = std::make_unique<Socket>(options);
        return *slot;
    }

    Socket& socket(std::uint64_t id) { return *sockets_.at(id); }

    void report(Socket& socket, const Move& move) {
        socket.report(move, fresh());
        deliver();
    }
    void report_end(Socket& socket, std::uint64_t time_ns) {
        socket.report_end(time_ns, fresh());
        deliver();
    }
    void report_close(Socket& socket, std::uint64_t time_ns, bool is_half = false) {
        socket.report_close(is_half, time_ns, fresh());
        deliver();
    }
    void report_gone(Socket& socket, std::uint64_t time_ns, bool is_half = false) {
        socket.report_gone(is_half, time_ns, fresh());
        deliver();
    }

    void tick(std::uint64_t now_ns) {
        if (tracker_.wants_tails())
            for (auto& [id, socket] : sockets_)
                for (std::uint32_t direction = 0; direction < 2; ++direction)
                    if (const auto& tail = socket->tail(static_cast<int>(direction)))
                        tracker_.on_tail({.connection = id, .direction = direction, .padding = 0}, *tail, batch_);
        tracker_.on_tick(now_ns, batch_);
        for (const auto& [key, turn] : tracker_.done_tails())
            if (const auto found = sockets_.find(key.connection); found != sockets_.end())
                found->second->tail(static_cast<int>(key.direction)).reset();
        tracker_.done_tails().clear();
        for (const RuleChange& change : tracker_.rule_changes()) {
            muted_ += change.rules.by_direction[0].mode == WG_RULE_MUTE;
            if (const auto found = sockets_.find(change.connection); found != sockets_.end())
                found->second->set_rules(change.rules);
        }
        tracker_.rule_changes().clear();
    }

    Tracker& tracker() { return tracker_; }
    // Without what waits for a caller.
    spans::SpanBatch& prompt_batch() { return batch_; }
    spans::SpanBatch& batch() {
        tracker_.release(batch_);
        return batch_;
    }
    std::uint64_t muted() const { return muted_; }
    std::uint64_t records() const { return delivered_; }

  private:
    std::vector<std::string>& fresh() {
        records_.clear();
        return records_;
    }
    void deliver() {
        for (const std::string& record : records_) tracker_.on_event(std::as_bytes(std::span(record)), batch_);
        delivered_ += records_.size();
    }

    Tracker tracker_;
    spans::SpanBatch batch_;
    std::map<std::uint64_t, std::unique_ptr<Socket>> sockets_;
    std::vector<std::string> records_;
    std::uint64_t muted_ = 0;
    std::uint64_t delivered_ = 0;
};

}  // namespace waggle::protocols::testing
