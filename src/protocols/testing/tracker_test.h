// SPDX-License-Identifier: Apache-2.0
// TrackerTest: one host's tracker and a clock that goes on by hand.
#pragma once

#include <gtest/gtest.h>

#include "protocols/testing/host.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::testing {

inline constexpr std::uint64_t kSecond = 1'000'000'000;
inline constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
inline constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

class TrackerTest : public ::testing::Test {
  protected:
    explicit TrackerTest(TrackerConfig config = one_request_a_thread()) : host_(std::move(config)) {}
    static TrackerConfig one_request_a_thread() {
        TrackerConfig config;
        config.threads_are_contexts = [](std::uint32_t) { return true; };
        return config;
    }

    Socket& open(const SocketOptions& options = {}) { return host_.add(options); }

    // A call by the socket's own process, reported at once, a millisecond after the one before.
    void call(Socket& socket, bool is_request, std::string_view bytes, std::uint64_t thread = 0) {
        host_.report(socket, moved(socket, is_request, bytes, thread));
    }
    Move moved(Socket& socket, bool is_request, std::string_view bytes, std::uint64_t thread = 0) {
        const bool is_client = socket.options().role == WG_ROLE_CLIENT;
        return socket.moved(is_request == is_client ? WG_SEND : WG_RECEIVE, std::string(bytes), now_ns_ += 1'000'000,
                            thread);
    }
    void pass(std::uint64_t ns) { host_.tick(now_ns_ += ns); }
    std::size_t prompt() { return host_.prompt_batch().size(); }
    std::size_t spans() { return host_.batch().size(); }
    const spans::Span& span(std::size_t index = 0) { return host_.batch().begin()[index]; }
    std::int64_t status(std::size_t index = 0) {
        return span(index).attributes.number(attr::http_response_status_code, 0);
    }
    const Counts& counts() { return host_.tracker().counts()[0]; }

    Host host_;
    std::uint64_t now_ns_ = 10 * kSecond;
};

}  // namespace waggle::protocols::testing
