// SPDX-License-Identifier: Apache-2.0
// Steady: a connection of each protocol on which the same messages go by again and again, as events of the ring: for
// what is measured and counted a message once everything is warm. Taken from the talks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "protocols/testing/host.h"
#include "protocols/testing/talk.h"

namespace waggle::protocols::testing {

// Of a talk the steps from `first` to `end` are repeated, those before them are said once.
struct SteadyTalk {
    std::string_view protocol;
    std::string_view path;  // under src/protocols; none: HTTP/2, where each exchange has a stream of its own
    std::size_t first = 0;
    std::size_t end = 0;
    std::string_view form = {};  // where it is not the protocol's first row
};

inline constexpr SteadyTalk kSteadyTalks[] = {
    {"http", "http1/talks/get.talk", 0, 2},
    {"http2", {}},
    {"fastcgi", "fastcgi/talks/nginx.talk", 0, 2},
    {"postgresql", "postgres/talks/simple.talk", 2, 6},
    {"mysql", "mysql/talks/text.talk", 3, 5},
    {"redis", "redis/talks/commands.talk", 0, 4},
    {"kafka", "kafka/talks/produce.talk", 2, 4},
    {"amqp", "amqp/talks/mid_connection.talk", 0, 3},
    {"memcached", "memcached/talks/text.talk", 0, 4},
    {"mongodb", "mongodb/talks/commands.talk", 2, 4},
    {"mqtt", "mqtt/talks/qualities.talk", 4, 8},
    {"nats", "nats/talks/publish.talk", 3, 7},
    {"smtp", "smtp/talks/transactions.talk", 3, 13},
    {"dns", "dns/talks/questions.talk", 0, 2},
    {"jsonrpc", "jsonrpc/talks/lines.talk", 0, 2},
    {"http2", {}, 0, 0, "grpc"},
    {"postgresql", "postgres/talks/extended.talk", 2, 4, "extended"},
    {"mysql", "mysql/talks/prepared.talk", 5, 7, "prepared"},
    {"redis", "redis/talks/resp3.talk", 2, 6, "resp3"},
    {"kafka", "kafka/talks/poll.talk", 5, 7, "poll"},
    {"memcached", "memcached/talks/binary.talk", 0, 4, "binary"},
};

class Steady {
  public:
    explicit Steady(const SteadyTalk& talk) : from_(talk) {
        if (talk.path.empty()) {
            socket_.emplace(SocketOptions{});
            opening_ = {{true, frames_[1].line("@preface")},
                        {true, frames_[1].line("@settings")},
                        {false, frames_[0].line("@settings")}};
            return;
        }
        TalkFile file = read_talk(std::filesystem::path(WAGGLE_SOURCE_DIR) / "src/protocols" / talk.path);
        socket_.emplace(SocketOptions{.is_attached = file.is_attached});
        std::size_t at = 0;
        for (const TalkStep& step : file.steps) {
            const bool is_opening = at < talk.first;
            if (at++ < talk.end && (step.what == '>' || step.what == '<'))
                (is_opening ? opening_ : round_).push_back({step.is_client, step.text});
        }
    }

    std::vector<std::string> opening() { return say(opening_); }
    // What goes by next, and how many bytes that is.
    std::vector<std::string> round(std::size_t& bytes) {
        if (from_.path.empty()) renew();
        for (const Step& step : round_) bytes += step.text.size();
        return say(round_);
    }
    std::uint64_t now_ns() const { return now_ns_; }

  private:
    struct Step {
        bool is_client;
        std::string text;
    };

    void renew() {
        const std::string stream = std::to_string(stream_);
        stream_ += 2;
        if (from_.form == "grpc") {
            round_ = {
                {true, frames_[1].line("@headers " + stream +
                                       " :method=POST :scheme=http :path=/shop.Stock/Take :authority=shop.example "
                                       "content-type=application/grpc te=trailers") +
                           frames_[1].line("@data " + stream + " end hex=0000000003616263")},
                {false, frames_[0].line("@headers " + stream + " :status=200 content-type=application/grpc") +
                            frames_[0].line("@data " + stream + " hex=0000000003616263") +
                            frames_[0].line("@headers " + stream + " end grpc-status=0")}};
            return;
        }
        round_ = {{true, frames_[1].line(
                             "@headers " + stream +
                             " end :method=GET :scheme=http :path=/items/7 :authority=shop.example user-agent=probe")},
                  {false, frames_[0].line("@headers " + stream + " :status=200 content-length=5") +
                              frames_[0].line("@data " + stream + " end text=hello")}};
    }

    std::vector<std::string> say(const std::vector<Step>& steps) {
        std::vector<std::string> records;
        for (const Step& step : steps)
            socket_->report(socket_->moved(step.is_client ? WG_RECEIVE : WG_SEND, step.text, now_ns_ += 10'000),
                            records);
        return records;
    }

    const SteadyTalk from_;
    std::optional<Socket> socket_;
    std::array<FrameWriter, 2> frames_;  // of server and client
    std::vector<Step> opening_;
    std::vector<Step> round_;
    std::uint32_t stream_ = 1;
    std::uint64_t now_ns_ = 1'000'000'000;
};

// Plays it to a tracker: a tick and an empty batch after so many rounds.
class SteadyPlay {
  public:
    static constexpr int kRounds = 64;

    explicit SteadyPlay(const SteadyTalk& talk, TrackerConfig config = {})
        : steady_(talk), tracker_(std::move(config)) {
        give(steady_.opening());
    }

    // Makes the events of the next rounds; not a part of what is measured.
    void prepare() {
        bytes_ = 0;
        events_.clear();
        for (int i = 0; i < kRounds; ++i) events_.push_back(steady_.round(bytes_));
    }
    void run() {
        for (const auto& records : events_) give(records);
        tracker_.on_tick(steady_.now_ns(), batch_);
        spans_ += batch_.size();
        batch_.clear();
    }
    std::size_t bytes() const { return bytes_; }
    std::size_t spans() const { return spans_; }
    const Tracker& tracker() const { return tracker_; }
    Tracker& tracker() { return tracker_; }

  private:
    void give(const std::vector<std::string>& records) {
        for (const std::string& record : records) tracker_.on_event(std::as_bytes(std::span(record)), batch_);
    }

    Steady steady_;
    Tracker tracker_;
    spans::SpanBatch batch_;
    std::vector<std::vector<std::string>> events_;
    std::size_t bytes_ = 0;
    std::size_t spans_ = 0;
};

}  // namespace waggle::protocols::testing
