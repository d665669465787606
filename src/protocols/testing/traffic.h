// SPDX-License-Identifier: Apache-2.0
// Traffic: random HTTP/1 connections with known answers, for the property test. A Talk is what truly
// happened on one connection: pieces in order, and what each exchange's span must say. Bodies are full of
// text that looks like messages, so that whoever loses the framing finds wrong ones.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "protocols/testing/host.h"
#include "protocols/testing/random.h"

namespace waggle::protocols::testing {

struct Answer {
    std::string path;
    std::string method;
    int status = 0;
    std::uint64_t request_body = 0;
    std::uint64_t response_body = 0;
    std::uint64_t start_ns = 0;
    std::uint64_t end_ns = 0;
    bool is_ended = true;  // the response came whole
    // Where they stand in the two streams, from 0.
    std::uint64_t request_start = 0;
    std::uint64_t response_end = 0;
};

struct Step {
    bool is_request = false;
    std::string bytes;
    std::uint64_t time_ns = 0;
};

struct Talk {
    std::vector<Answer> answers;
    std::vector<Step> steps;
    bool is_pipelined = false;
    // Steps until pipelining can be known. What is lost before may not be told from an unpipelined loss.
    std::size_t first_burst = 0;
    bool is_closed = false;  // at the end, by the client
};

class TrafficSource {
  public:
    explicit TrafficSource(Random& random) : random_(random) {}

    Talk talk(std::uint64_t connection, std::uint64_t start_ns) {
        Talk talk;
        const std::uint64_t count = random_.between(1, 14);
        talk.is_pipelined = count > 1 && random_.chance(0.3);
        now_ns_ = start_ns;
        sent_ = answered_ = 0;
        for (std::uint64_t i = 0; i < count;) {
            const std::uint64_t burst = talk.is_pipelined ? std::min(count - i, random_.between(2, 5)) : 1;
            const bool is_last = i + burst == count;
            if (burst == 1)
                add_exchange(talk, connection, i, is_last);
            else
                add_burst(talk, connection, i, burst);
            if (talk.is_pipelined && !talk.first_burst) talk.first_burst = talk.steps.size();
            i += burst;
        }
        talk.is_closed |= random_.chance(0.6);
        set_times(talk);
        return talk;
    }

  private:
    struct Texts {
        std::string request, interim, response;
        std::size_t request_head = 0;
        std::size_t response_head = 0;
    };

    std::string body(std::uint64_t size) {
        static const std::string kTrap =
            "....HTTP/1.1 299 Wrong\r\nContent-Length: 3\r\n\r\nabcGET /wrong HTTP/1.1\r\n\r\n";
        std::string text;
        while (text.size() < size) text += kTrap;
        text.resize(size);
        return text;
    }

    std::string chunked(std::uint64_t size) {
        std::string text;
        while (size) {
            const std::uint64_t chunk = std::min(size, random_.between(1, size > 3000 ? 9000 : 500));
            char line[32];
            std::snprintf(line, sizeof(line), "%llx%s\r\n", static_cast<unsigned long long>(chunk),
                          random_.chance(0.2) ? ";name=value" : "");
            text += line + body(chunk) + "\r\n";
            size -= chunk;
        }
        // Beyond the rule only a last chunk without trailer tells the end.
        return text + (text.size() < 500 && random_.chance(0.3) ? "0\r\nX-Sum: 7\r\n\r\n" : "0\r\n\r\n");
    }

    std::uint64_t body_size(bool is_small) {
        if (is_small) return random_.below(200);
        if (random_.chance(0.6)) return random_.below(3000);
        return random_.below(random_.chance(0.7) ? 30000 : 200000);
    }

    Texts exchange(Answer& answer, std::uint64_t connection, std::uint64_t index, bool is_small, bool may_close) {
        static constexpr const char* kMethods[] = {"GET", "GET", "POST", "PUT", "HEAD", "PATCH", "PURGE", "DELETE"};
        Texts texts;
        answer.method = kMethods[random_.below(8)];
        // After a body that was not sent a method that nobody knows could as well be that body.
        if (std::exchange(is_withheld_, false) && answer.method == "PURGE") answer.method = "PUT";
        answer.path = "/" + std::to_string(connection) + "/" + std::to_string(index);
        answer.status = static_cast<int>(random_.between(200, 599));
        const bool has_body = answer.method[0] == 'P';
        texts.request = answer.method + " " + answer.path + " HTTP/1.1\r\nHost: shop.example\r\n";
        if (has_body) {
            answer.request_body = body_size(is_small);
            const bool is_chunked = random_.chance(0.3);
            if (random_.chance(0.2)) {
                texts.interim = "HTTP/1.1 100 Continue\r\n\r\n";
                texts.request += "Expect: 100-continue\r\n";
            }
            texts.request += is_chunked ? "Transfer-Encoding: chunked\r\n\r\n"
                                        : "Content-Length: " + std::to_string(answer.request_body) + "\r\n\r\n";
            texts.request_head = texts.request.size();
            texts.request += is_chunked ? chunked(answer.request_body) : body(answer.request_body);
        } else {
            texts.request += "\r\n";
            texts.request_head = texts.request.size();
        }
        answer.response_body = body_size(is_small);
        texts.response = "HTTP/1.1 " + std::to_string(answer.status) + " Right\r\n";
        const bool is_bodiless = answer.method == "HEAD" || answer.status == 204 || answer.status == 304;
        if (is_bodiless) {
            texts.response += "Content-Length: 12345\r\n\r\n";
            texts.response_head = texts.response.size();
            answer.response_body = 0;
        } else if (may_close) {
            texts.response += "Connection: close\r\n\r\n";
            texts.response_head = texts.response.size();
            texts.response += body(answer.response_body);
        } else if (random_.chance(0.35)) {
            texts.response += "Transfer-Encoding: chunked\r\n\r\n";
            texts.response_head = texts.response.size();
            texts.response += chunked(answer.response_body);
        } else {
            texts.response += "Content-Length: " + std::to_string(answer.response_body) + "\r\n\r\n";
            texts.response_head = texts.response.size();
            texts.response += body(answer.response_body);
        }
        return texts;
    }

    // Cuts the text anywhere and adds the pieces.
    void put(Talk& talk, bool is_request, std::string_view text) {
        (is_request ? sent_ : answered_) += text.size();
        const std::uint64_t pieces = text.size() > 20000 ? random_.between(1, 40) : random_.between(1, 4);
        for (std::uint64_t i = 0; i < pieces && !text.empty(); ++i) {
            const std::size_t size = i + 1 == pieces ? text.size() : random_.between(1, text.size());
            add_step(talk, is_request, text.substr(0, size));
            text.remove_prefix(size);
        }
    }

    void add_step(Talk& talk, bool is_request, std::string_view bytes) {
        now_ns_ += random_.chance(0.1) ? random_.between(5'000'000, 40'000'000) : random_.between(20'000, 2'000'000);
        talk.steps.push_back({is_request, std::string(bytes), now_ns_});
    }

    void add_exchange(Talk& talk, std::uint64_t connection, std::uint64_t index, bool is_last) {
        Answer answer;
        const bool closes = is_last && random_.chance(0.2);
        const Texts texts = exchange(answer, connection, index, false, closes);
        answer.request_start = sent_;
        const std::string_view request = texts.request;
        if (texts.interim.empty()) {
            put(talk, true, request);
        } else {
            put(talk, true, request.substr(0, texts.request_head));
            is_withheld_ = texts.request_head < request.size() && random_.chance(0.3);
            if (is_withheld_) {
                answer.request_body = 0;
            } else {
                put(talk, false, texts.interim);
                put(talk, true, request.substr(texts.request_head));
            }
        }
        const bool is_broken = is_last && random_.chance(0.1);
        const std::size_t size = is_broken ? texts.response_head / 2 : texts.response.size();
        answer.is_ended = !is_broken;
        if (random_.chance(0.2)) {
            put(talk, false, std::string_view(texts.response).substr(0, std::min(size, texts.response_head)));
            put(talk, false, std::string_view(texts.response).substr(std::min(size, texts.response_head), size));
        } else {
            put(talk, false, std::string_view(texts.response).substr(0, size));
        }
        answer.response_end = answered_;
        talk.is_closed |= closes || is_broken;
        talk.answers.push_back(answer);
    }

    // Several requests before the first answer; answers begin when their requests have come.
    void add_burst(Talk& talk, std::uint64_t connection, std::uint64_t first, std::uint64_t burst) {
        std::string requests, responses;
        std::vector<std::pair<std::uint64_t, std::uint64_t>> needs;  // response's start, request's end
        for (std::uint64_t i = 0; i < burst; ++i) {
            Answer answer;
            const Texts texts = exchange(answer, connection, first + i, true, false);
            answer.request_start = sent_ + requests.size();
            requests += texts.request;
            needs.emplace_back(responses.size(), requests.size());
            responses += texts.response;
            answer.response_end = answered_ + responses.size();
            talk.answers.push_back(answer);
        }
        // At least one request more than the first comes before the first answer.
        std::size_t asked = 0;
        std::size_t said = 0;
        const auto ask = [&](std::size_t size) {
            add_step(talk, true, std::string_view(requests).substr(asked, size));
            asked += size;
        };
        ask(needs[1].second);
        while (said < responses.size()) {
            std::size_t limit = responses.size();
            for (const auto& [start, need] : needs)
                if (need > asked) limit = std::min<std::size_t>(limit, start);
            if (asked < requests.size() && (said == limit || random_.chance(0.5))) {
                ask(random_.between(1, requests.size() - asked));
            } else {
                const std::size_t size = random_.between(1, limit - said);
                add_step(talk, false, std::string_view(responses).substr(said, size));
                said += size;
            }
        }
        sent_ += requests.size();
        answered_ += responses.size();
    }

    static void set_times(Talk& talk) {
        std::uint64_t sent = 0;
        std::uint64_t answered = 0;
        for (const Step& step : talk.steps) {
            std::uint64_t& at = step.is_request ? sent : answered;
            const std::uint64_t end = at + step.bytes.size();
            for (Answer& answer : talk.answers) {
                if (step.is_request && answer.request_start >= at && answer.request_start < end)
                    answer.start_ns = step.time_ns;
                if (!step.is_request && answer.response_end > at && answer.response_end <= end)
                    answer.end_ns = step.time_ns;
            }
            at = end;
        }
    }

    Random& random_;
    std::uint64_t now_ns_ = 0;
    std::uint64_t sent_ = 0;
    std::uint64_t answered_ = 0;
    bool is_withheld_ = false;  // the last request's body was refused
};

}  // namespace waggle::protocols::testing
