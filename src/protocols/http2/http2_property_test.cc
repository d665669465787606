// SPDX-License-Identifier: Apache-2.0
// Many streams at once, their frames interleaved, calls cut anywhere and, in the second test, lost: every fact that a
// span states is that of its exchange, and what is not known is said and counted.
#include <gtest/gtest.h>

#include <map>

#include "protocols/testing/encrypted.h"
#include "protocols/testing/frames.h"
#include "protocols/testing/seeds.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::testing {
namespace {

struct Truth {
    std::string method;
    std::int64_t status = 0;
    std::int64_t request_body = 0;
    std::int64_t response_body = 0;
};

class Http2World {
  public:
    Http2World(std::uint64_t seed, double loss)
        : random_(seed), loss_(loss), host_({.options = {}, .threads_are_contexts = {}}) {
        const SocketOptions options{.role = seed % 2 ? WG_ROLE_SERVER : WG_ROLE_CLIENT};
        socket_ = &add_some_encrypted(host_, options, random_, now_ns_);
        requests_ = seed % 2 ? WG_RECEIVE : WG_SEND;
    }

    void run() {
        say(true, std::string(http2::kPreface) + frame(http2::kSettings, 0, 0, {}));
        say(false, frame(http2::kSettings, 0, 0, {}));
        host_.tick(now_ns_ += 5'000'000);  // from here on calls are followed
        is_lossy_ = true;
        std::uint32_t next = 1;
        while (next < 120 || !streams_.empty()) {
            if (next < 120 && streams_.size() < 8 && random_.below(3) == 0) {
                open(next);
                next += 2;
            } else if (!streams_.empty()) {
                advance(std::next(streams_.begin(), static_cast<std::ptrdiff_t>(random_.below(streams_.size()))));
            }
            if (random_.below(4) == 0) flush(true);
            if (random_.below(4) == 0) flush(false);
            if (random_.below(16) == 0) host_.tick(now_ns_ += 5'000'000);
        }
        flush(true);
        flush(false);
        // What may have been lost is settled after a second of silence.
        for (int i = 0; i < 4; ++i) host_.tick(now_ns_ += 1'500'000'000);
        host_.report_close(beneath(host_, *socket_), now_ns_ += 1000);
        host_.tick(now_ns_ += 5'000'000);
        host_.tick(now_ns_ += 5'000'000);
    }

    void check() {
        std::map<std::string, int> seen;
        for (const spans::Span& span : host_.batch()) {
            const std::string path(span.attributes.text(attr::url_path));
            if (path.empty()) {
                EXPECT_GT(lost_, 0u);
                EXPECT_NE(span.attributes.text(attr::waggle_unknown), "");
                continue;
            }
            ASSERT_TRUE(truths_.contains(path)) << path;
            EXPECT_EQ(++seen[path], 1) << path;
            const Truth& truth = truths_.at(path);
            const std::string_view method = span.attributes.text(attr::http_request_method);
            if (!method.empty()) {
                EXPECT_EQ(method, truth.method);
            }
            expect_fact(span, attr::http_response_status_code, truth.status);
            expect_fact(span, attr::http_request_body_size, truth.request_body);
            expect_fact(span, attr::http_response_body_size, truth.response_body);
        }
        const Counts counts = sum(host_.tracker().counts());
        EXPECT_EQ(counts.seen, counts.exported);
        if (seen.size() < truths_.size()) {
            EXPECT_GT(counts.of(Cause::Hole) + counts.of(Cause::RuleCut), 0u);
        }
        named_ += seen.size();
    }

    std::size_t named() const { return named_; }
    std::size_t exchanges() const { return truths_.size(); }
    std::uint64_t lost() const { return lost_; }

  private:
    struct Stream {
        std::vector<std::string> request, response;  // frames to come
    };

    void expect_fact(const spans::Span& span, std::string_view name, std::int64_t truth) {
        const std::int64_t value = span.attributes.number(name, -1);
        if (value < 0) {
            EXPECT_GT(lost_, 0u) << name;
        } else {
            EXPECT_EQ(value, truth) << name << " of " << span.attributes.text(attr::url_path);
        }
    }

    std::vector<std::string> body(std::uint32_t stream, std::int64_t& size, bool ends) {
        std::vector<std::string> frames;
        for (std::uint64_t i = random_.below(4); i-- > 0;) {
            const std::size_t part = random_.below(400);
            frames.push_back(
                data_frame(stream, false, std::string(part, '\0'), random_.below(3) ? 0 : random_.below(40)));
            size += static_cast<std::int64_t>(part);
        }
        if (ends) frames.push_back(data_frame(stream, true, {}));
        return frames;
    }

    void open(std::uint32_t id) {
        Truth truth{.method = random_.below(2) ? "GET" : "PUT",
                    .status = static_cast<std::int64_t>(200 + random_.below(390))};
        const std::string path = "/" + std::to_string(id);
        const bool has_trailers = random_.below(3) == 0;
        Stream& stream = streams_[id];
        // Blocks are coded in the order in which they go: here for requests, when they go for responses.
        pending(true) += headers_frames(id, false,
                                        encoders_[1].encode({{":method", truth.method},
                                                             {":scheme", "http"},
                                                             {":path", path},
                                                             {":authority", "shop"},
                                                             {"user-agent", "probe"}},
                                                            {}),
                                        random_.below(4) ? 0 : 9);
        stream.request = body(id, truth.request_body, true);
        stream.response.push_back(":status=" + std::to_string(truth.status));
        for (std::string& text : body(id, truth.response_body, !has_trailers))
            stream.response.push_back(std::move(text));
        if (has_trailers) stream.response.push_back("trailers");
        truths_[path] = truth;
    }

    void advance(std::map<std::uint32_t, Stream>::iterator at) {
        auto& [id, stream] = *at;
        auto& queue = !stream.request.empty() && random_.below(2) ? stream.request : stream.response;
        if (&queue == &stream.response && stream.response.size() == 1 && !stream.request.empty()) return;  // last
        if (queue.empty()) {
            if (stream.request.empty() && stream.response.empty()) streams_.erase(at);
            return;
        }
        if (&queue == &stream.response) flush(true);  // a request is always sent before its answer
        std::string text = queue.front();
        queue.erase(queue.begin());
        if (text.starts_with(":status="))
            text = headers_frames(id, false, encoders_[0].encode({{":status", text.substr(8)}, {"server", "x"}}, {}));
        else if (text == "trailers")
            text = headers_frames(id, true, encoders_[0].encode({{"x-sum", std::to_string(id % 6)}}, {}));
        pending(&queue == &stream.request) += text;
        if (stream.request.empty() && stream.response.empty()) streams_.erase(at);
    }

    std::string& pending(bool is_request) { return pending_[is_request]; }

    void flush(bool is_request) {
        std::string text = std::exchange(pending(is_request), {});
        while (!text.empty()) {
            const std::size_t size = random_.below(3) ? text.size() : 1 + random_.below(text.size());
            say(is_request, text.substr(0, size));
            text.erase(0, size);
        }
    }

    void say(bool is_request, std::string bytes) {
        const wg_direction direction = is_request ? requests_ : static_cast<wg_direction>(1 - requests_);
        Move move = socket_->moved(direction, std::move(bytes), now_ns_ += 10'000);
        move.is_lost = is_lossy_ && random_.chance(loss_);
        lost_ += move.is_lost;
        report_call(host_, random_, *socket_, move);
    }

    Random random_;
    const double loss_;
    Host host_;
    Socket* socket_ = nullptr;
    wg_direction requests_ = WG_SEND;
    bool is_lossy_ = false;
    std::array<HeaderEncoder, 2> encoders_;
    std::array<std::string, 2> pending_;
    std::map<std::uint32_t, Stream> streams_;
    std::map<std::string, Truth> truths_;
    std::uint64_t now_ns_ = 1'000'000'000;
    std::uint64_t lost_ = 0;
    std::size_t named_ = 0;
};

TEST(Http2Property, EveryFactIsExactWhenNothingIsLost) {
    for (std::uint64_t seed = 1; seed <= seeds_to_play(60); ++seed) {
        SCOPED_TRACE(seed);
        Http2World world(seed, 0);
        world.run();
        world.check();
        EXPECT_EQ(world.named(), world.exchanges());
        if (::testing::Test::HasFailure()) return;
    }
}

TEST(Http2Property, NoFactIsWrongWhenCallsAreLost) {
    std::size_t named = 0;
    std::size_t exchanges = 0;
    for (std::uint64_t seed = 1; seed <= seeds_to_play(200); ++seed) {
        SCOPED_TRACE(seed);
        Http2World world(seed, seed % 3 ? 0.01 : 0.1);
        world.run();
        world.check();
        named += world.named();
        exchanges += world.exchanges();
        if (::testing::Test::HasFailure()) return;
    }
    EXPECT_GT(named, exchanges / 3);
}

}  // namespace
}  // namespace waggle::protocols::testing
