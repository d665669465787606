// SPDX-License-Identifier: Apache-2.0
// load: a small HTTP/1.1 server, and a client of HTTP/1.1 or Redis that sends at a given rate, for bench/run. Plain
// epoll, one thread each, so that what they cost themselves stays small and even.
//   load serve PORT BODY              answers every request with BODY bytes
//   load echo PORT                    says what it hears
//   load pace PORT RATE SECONDS CONNECTIONS
//                                     RATE requests a second over keep-alive connections; prints one line:
//                                     requests answered, seconds, p50 and p99 in microseconds
//   load pace-redis …                 the same with GET of a key that is not there
//   load pace-unknown …               the same with bytes of no protocol, to an echo
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace {

[[noreturn]] void fail(const char* what) {
    std::perror(what);
    std::exit(1);
}

std::uint64_t now_ns() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

void watch(int epoll, int fd) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
}

void send_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0) return;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

void no_delay(int fd) {
    const int one = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

std::string ok_with(std::size_t body) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body) + "\r\n\r\n" + std::string(body, 'b');
}

// An empty answer: what was received.
int serve(int port, std::string_view answer) {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int one = 1;
    ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    const sockaddr_in address = loopback(port);
    if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address))) fail("bind");
    if (::listen(listener, 512)) fail("listen");
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    watch(epoll, listener);
    std::vector<epoll_event> events(256);
    std::vector<char> buffer(65536);
    for (;;) {
        const int ready = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
        for (int i = 0; i < ready; ++i) {
            const int fd = events[static_cast<std::size_t>(i)].data.fd;
            if (fd == listener) {
                const int accepted = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
                if (accepted < 0) continue;
                no_delay(accepted);
                watch(epoll, accepted);
                continue;
            }
            const ssize_t got = ::read(fd, buffer.data(), buffer.size());
            if (got <= 0) {
                ::close(fd);
                continue;
            }
            // The clients here send one request at a time, and small enough for one segment.
            send_all(fd, answer.empty() ? std::string_view(buffer.data(), static_cast<std::size_t>(got)) : answer);
        }
    }
}

struct Pending {
    std::uint64_t sent_ns = 0;
    std::size_t missing = 0;  // of the answer, 0: idle
};

struct Talk {
    std::string_view request;
    std::size_t (*answer_size)(std::string_view begin);  // 0: not the answer that was expected
};

constexpr Talk kHttp = {"GET /items/42?page=3 HTTP/1.1\r\nHost: localhost\r\nUser-Agent: load\r\nAccept: */*\r\n\r\n",
                        [](std::string_view text) {
                            const std::size_t head = text.find("\r\n\r\n");
                            const std::size_t length = text.find("Content-Length: ");
                            if (head == std::string_view::npos || length == std::string_view::npos)
                                return std::size_t{0};
                            return head + 4 + std::strtoul(text.data() + length + 16, nullptr, 10);
                        }};

constexpr Talk kRedis = {"*2\r\n$3\r\nGET\r\n$4\r\nnone\r\n", [](std::string_view text) {
                             constexpr std::string_view kNothing = "$-1\r\n";
                             return text.starts_with(kNothing) ? kNothing.size() : 0;
                         }};

constexpr Talk kUnknown = {"\x17~~\x03quote 4711 of nothing", [](std::string_view text) { return text.size(); }};

int pace(const Talk& talk, int port, std::uint64_t rate, std::uint64_t seconds, std::size_t connections) {
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    const sockaddr_in address = loopback(port);
    std::unordered_map<int, Pending> all;
    std::vector<int> idle;
    for (std::size_t i = 0; i < connections; ++i) {
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address))) fail("connect");
        no_delay(fd);
        watch(epoll, fd);
        all[fd] = {};
        idle.push_back(fd);
    }
    // A millisecond's worth at a time: a timer per request would be the load itself.
    const int timer = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    const itimerspec every{.it_interval = {.tv_sec = 0, .tv_nsec = 1'000'000},
                           .it_value = {.tv_sec = 0, .tv_nsec = 1'000'000}};
    ::timerfd_settime(timer, 0, &every, nullptr);
    watch(epoll, timer);
    std::vector<std::uint64_t> latencies;
    latencies.reserve(rate * seconds);
    std::vector<epoll_event> events(256);
    std::vector<char> buffer(65536);
    const std::uint64_t begin = now_ns();
    const std::uint64_t end = begin + seconds * 1'000'000'000;
    std::uint64_t sent = 0;
    std::uint64_t now = begin;
    while (now < end) {
        const int ready = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 100);
        now = now_ns();
        for (int i = 0; i < ready; ++i) {
            const int fd = events[static_cast<std::size_t>(i)].data.fd;
            if (fd == timer) {
                std::uint64_t ticks = 0;
                (void)!::read(timer, &ticks, sizeof(ticks));
                const std::uint64_t due = (now - begin) * rate / 1'000'000'000;
                while (sent < due && !idle.empty()) {
                    const int free = idle.back();
                    idle.pop_back();
                    all[free] = {.sent_ns = now, .missing = SIZE_MAX};
                    send_all(free, talk.request);
                    ++sent;
                }
                continue;
            }
            const ssize_t got = ::read(fd, buffer.data(), buffer.size());
            if (got <= 0) {
                std::fprintf(stderr, "the server closed a connection\n");
                return 1;
            }
            Pending& pending = all[fd];
            std::size_t taken = static_cast<std::size_t>(got);
            if (pending.missing == SIZE_MAX) {
                pending.missing = talk.answer_size({buffer.data(), taken});
                if (!pending.missing) {
                    std::fprintf(stderr, "not the answer that was expected\n");
                    return 1;
                }
            }
            pending.missing -= std::min(pending.missing, taken);
            if (pending.missing) continue;
            latencies.push_back(now - pending.sent_ns);
            idle.push_back(fd);
        }
    }
    std::sort(latencies.begin(), latencies.end());
    const auto at = [&](double share) {
        return latencies.empty()
                   ? 0.0
                   : static_cast<double>(
                         latencies[static_cast<std::size_t>(share * static_cast<double>(latencies.size() - 1))]) /
                         1000;
    };
    std::printf("%zu %.3f %.1f %.1f\n", latencies.size(), static_cast<double>(now - begin) / 1e9, at(0.5), at(0.99));
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view command = argc > 1 ? argv[1] : "";
    const Talk* talk = nullptr;
    if (command == "pace") talk = &kHttp;
    if (command == "pace-redis") talk = &kRedis;
    if (command == "pace-unknown") talk = &kUnknown;
    if (command == "serve" && argc == 4) return serve(std::atoi(argv[2]), ok_with(std::strtoul(argv[3], nullptr, 10)));
    if (command == "echo" && argc == 3) return serve(std::atoi(argv[2]), {});
    if (talk && argc == 6)
        return pace(*talk, std::atoi(argv[2]), std::strtoul(argv[3], nullptr, 10), std::strtoul(argv[4], nullptr, 10),
                    std::strtoul(argv[5], nullptr, 10));
    std::fprintf(stderr,
                 "load serve PORT BODY | load echo PORT | "
                 "load pace|pace-redis|pace-unknown PORT RATE SECONDS CONNECTIONS\n");
    return 2;
}
