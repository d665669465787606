// SPDX-License-Identifier: Apache-2.0
// Many streams at once, their frames interleaved, calls cut anywhere and, in the second test, lost: every fact that a
// span states is that of its exchange, and what is not known is said and counted.
#include <gtest/gtest.h>

#include <map>

#include "protocols/testing/frames.h"
#include "protocols/testing/worlds.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::testing {
namespace {

struct Truth {
    std::string method;
    std::int64_t status = 0;
    std::int64_t request_body = 0;
    std::int64_t response_body = 0;
};

class Http2World final : public World {
  public:
    using World::World;

  private:
    struct Stream {
        std::vector<std::string> request, response;  // frames to come
    };

    void talk() override {
        say(true, std::string(http2::kPreface) + frame(http2::kSettings, 0, 0, {}), 0);
        say(false, frame(http2::kSettings, 0, 0, {}), 0);
        tick(5'000'000);  // from here on calls are followed
        std::uint32_t next = 1;
        while (next < 120 || !streams_.empty()) {
            if (next < 120 && streams_.size() < 8 && random_.below(3) == 0) {
                open(next);
                next += 2;
            } else if (!streams_.empty()) {
                advance(std::next(streams_.begin(), static_cast<std::ptrdiff_t>(random_.below(streams_.size()))));
            }
            if (random_.below(4) == 0) write(true);
            if (random_.below(4) == 0) write(false);
            if (random_.below(16) == 0) tick(5'000'000);
        }
        write(true);
        end_asking();
        write(false);
        // What may have been lost is settled after a second of silence.
        for (int i = 0; i < 4; ++i) tick(1'500'000'000);
    }

    Reading read(const spans::Span& span) override {
        const spans::Attributes& a = span.attributes;
        const bool is_whole = span.incomplete == spans::Incomplete::No;
        const std::string_view path = a.text(attr::url_path);
        if (path.empty()) {
            EXPECT_NE(a.text(attr::waggle_unknown), "");
            return {.is_said = true};
        }
        const auto number = parse_int<std::uint64_t>(path.substr(1)).value_or(0);
        const Truth& truth = truths_[number];
        const std::string_view method = a.text(attr::http_request_method);
        if (!method.empty()) {
            EXPECT_EQ(method, truth.method);
        }
        bool knows_all = !method.empty();
        const auto expect_fact = [&](std::string_view name, std::int64_t fact) {
            const std::int64_t value = a.number(name, -1);
            knows_all &= value >= 0;
            EXPECT_TRUE(value < 0 || value == fact) << name << " is " << value << " and not " << fact;
        };
        expect_fact(attr::http_response_status_code, truth.status);
        expect_fact(attr::http_request_body_size, truth.request_body);
        expect_fact(attr::http_response_body_size, truth.response_body);
        return {number, is_whole && knows_all, is_whole && !knows_all};
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
        ask(id);
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
        truths_[id] = truth;
    }

    void advance(std::map<std::uint32_t, Stream>::iterator at) {
        auto& [id, stream] = *at;
        auto& queue = !stream.request.empty() && random_.below(2) ? stream.request : stream.response;
        if (&queue == &stream.response && stream.response.size() == 1 && !stream.request.empty()) return;  // last
        if (queue.empty()) {
            if (stream.request.empty() && stream.response.empty()) streams_.erase(at);
            return;
        }
        if (&queue == &stream.response) write(true);  // a request is always sent before its answer
        if (&queue == &stream.response && random_.below(20) == 0) push(id);
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

    // What goes with this answer, and nobody has asked for.
    void push(std::uint32_t id) {
        const std::string promise =
            big_endian(pushed_ += 2, 4) +
            encoders_[0].encode({{":method", "GET"}, {":path", "/pushed"}, {"x-sum", std::to_string(id % 6)}}, {});
        pending(false) += frame(http2::kPushPromise, http2::kEndHeaders, id, promise) +
                          headers_frames(pushed_, false, encoders_[0].encode({{":status", "599"}}, {})) +
                          data_frame(pushed_, true, std::string(random_.below(400), '\0'));
    }

    void write(bool is_request) {
        std::string text = std::exchange(pending(is_request), {});
        while (!text.empty()) {
            const std::size_t size = random_.below(3) ? text.size() : 1 + random_.below(text.size());
            say(is_request, text.substr(0, size));
            text.erase(0, size);
        }
    }

    std::array<HeaderEncoder, 2> encoders_;
    std::array<std::string, 2> pending_;
    std::map<std::uint32_t, Stream> streams_;
    std::map<std::uint64_t, Truth> truths_;
    std::uint32_t pushed_ = 0;  // the newest stream of the server's
};

void play(std::uint64_t seeds, const std::vector<double>& losses, double ratio) {
    play_worlds([&](std::uint64_t seed) { return Http2World(seed, losses[seed % losses.size()]); }, seeds, 1, ratio);
}

TEST(Http2Property, EveryFactIsExactWhenNothingIsLost) { play(60, {0}, 1000); }
TEST(Http2Property, NoFactIsWrongWhenCallsAreLost) { play(200, {0.1, 0.01, 0.01}, 0.5); }

}  // namespace
}  // namespace waggle::protocols::testing
