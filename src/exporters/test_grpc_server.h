// SPDX-License-Identifier: Apache-2.0
// A plaintext HTTP/2 server for tests: takes one call per connection and answers with given
// headers, body and trailers. It writes header fields as literals and does not read those of the
// client.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <mutex>
#include <string>
#include <thread>

#include "base/fd.h"
#include "http/headers.h"

namespace waggle::exporters {

class TestGrpcServer {
  public:
    struct Answer {
        int http_status = 200;
        http::Headers headers{{"content-type", "application/grpc"}};
        std::string body;  // with headers only when empty and trailers are, too
        http::Headers trailers;
        bool is_cut_short = false;  // the connection ends behind the body
    };

    explicit TestGrpcServer(Answer answer) : answer_(std::move(answer)) {
        sockaddr_in at{.sin_family = AF_INET};
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof at;
        ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&at), size);
        ::listen(listener_.get(), 8);
        ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&at), &size);
        port_ = ntohs(at.sin_port);
        thread_ = std::thread([this] {
            for (Fd fd; (fd = Fd(::accept(listener_.get(), nullptr, nullptr))).is_open();) serve(fd);
        });
    }
    ~TestGrpcServer() {
        ::shutdown(listener_.get(), SHUT_RDWR);
        thread_.join();
    }

    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
    // The gRPC body of the last call.
    std::string body() const {
        std::lock_guard lock(mutex_);
        return body_;
    }

  private:
    enum FrameType : std::uint8_t { kData = 0, kHeaders = 1, kSettings = 4 };
    static constexpr std::uint8_t kEndStream = 1;
    static constexpr std::uint8_t kEndHeaders = 4;

    static bool read_exactly(const Fd& fd, char* to, std::size_t size) {
        while (size > 0) {
            const ssize_t n = ::recv(fd.get(), to, size, 0);
            if (n <= 0) return false;
            to += n;
            size -= static_cast<std::size_t>(n);
        }
        return true;
    }

    static void send_frame(const Fd& fd, std::uint8_t type, std::uint8_t flags, std::uint8_t stream,
                           std::string_view payload) {
        std::string frame;
        for (int shift = 16; shift >= 0; shift -= 8) frame += static_cast<char>(payload.size() >> shift & 0xff);
        frame.append({static_cast<char>(type), static_cast<char>(flags), 0, 0, 0, static_cast<char>(stream)});
        frame += payload;
        ::send(fd.get(), frame.data(), frame.size(), MSG_NOSIGNAL);
    }

    static void add_field(std::string& block, std::string_view name, std::string_view value) {
        block += '\0';  // literal, not indexed, new name
        for (const std::string_view text : {name, value}) {
            if (text.size() < 127) {
                block += static_cast<char>(text.size());
            } else {  // prefixed integer; tests stay below 127 + 2^14
                const std::size_t rest = text.size() - 127;
                block += '\x7f';
                block += static_cast<char>(rest % 128 | (rest >= 128 ? 128 : 0));
                if (rest >= 128) block += static_cast<char>(rest / 128);
            }
            block += text;
        }
    }

    void serve(const Fd& fd) {
        char preface[24];
        if (!read_exactly(fd, preface, sizeof preface)) return;
        send_frame(fd, kSettings, 0, 0, "");
        std::string body;
        for (;;) {
            char head[9];
            if (!read_exactly(fd, head, sizeof head)) return;
            const std::size_t size = static_cast<std::uint8_t>(head[0]) << 16 |
                                     static_cast<std::uint8_t>(head[1]) << 8 | static_cast<std::uint8_t>(head[2]);
            std::string payload(size, '\0');
            if (!read_exactly(fd, payload.data(), size)) return;
            if (head[3] == kSettings && head[4] == 0) send_frame(fd, kSettings, 1, 0, "");
            if (head[3] == kData) body += payload;
            const bool is_end = (head[3] == kData || head[3] == kHeaders) && (head[4] & kEndStream);
            if (!is_end) continue;
            {
                std::lock_guard lock(mutex_);
                body_ = body;
            }
            answer(fd, static_cast<std::uint8_t>(head[8]));
        }
    }

    void answer(const Fd& fd, std::uint8_t stream) const {
        std::string block;
        add_field(block, ":status", std::to_string(answer_.http_status));
        for (const auto& [name, value] : answer_.headers) add_field(block, name, value);
        const bool has_more = !answer_.body.empty() || !answer_.trailers.empty() || answer_.is_cut_short;
        send_frame(fd, kHeaders, kEndHeaders | (has_more ? 0 : kEndStream), stream, block);
        if (!answer_.body.empty())
            send_frame(fd, kData, answer_.trailers.empty() && !answer_.is_cut_short ? kEndStream : 0, stream,
                       answer_.body);
        if (answer_.is_cut_short) ::shutdown(fd.get(), SHUT_RDWR);
        if (answer_.trailers.empty()) return;
        std::string trailers;
        for (const auto& [name, value] : answer_.trailers) add_field(trailers, name, value);
        send_frame(fd, kHeaders, kEndHeaders | kEndStream, stream, trailers);
    }

    Answer answer_;
    Fd listener_{::socket(AF_INET, SOCK_STREAM, 0)};
    std::uint16_t port_ = 0;
    mutable std::mutex mutex_;
    std::string body_;
    std::thread thread_;
};

}  // namespace waggle::exporters
