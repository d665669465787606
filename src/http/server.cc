// SPDX-License-Identifier: Apache-2.0
#include "http/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <map>
#include <thread>

#include "base/fd.h"
#include "base/log.h"
#include "base/result.h"
#include "http/request_parser.h"

namespace waggle::http {
namespace {

using Clock = std::chrono::steady_clock;

// Without descriptors the listener stays readable: looking again at once would only burn the processor.
constexpr std::chrono::milliseconds kRest{100};

struct Connection {
    Fd fd;
    std::string in;
    std::string out;
    std::size_t written = 0;
    bool closes_after_write = false;
    Clock::time_point deadline;
};

Result<Fd> listen_on(const sockaddr* address, socklen_t size, int family) {
    Fd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd.is_open()) return fail_errno("socket");
    const int on = 1;
    const int off = 0;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (family == AF_INET6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (::bind(fd.get(), address, size) != 0) return fail_errno("bind");
    if (::listen(fd.get(), 64) != 0) return fail_errno("listen");
    return fd;
}

Result<Fd> listen_on(const std::string& address, std::uint16_t port) {
    sockaddr_in6 v6{.sin6_family = AF_INET6, .sin6_port = htons(port)};
    sockaddr_in v4{.sin_family = AF_INET, .sin_port = htons(port)};
    const auto* as_v6 = reinterpret_cast<const sockaddr*>(&v6);
    const auto* as_v4 = reinterpret_cast<const sockaddr*>(&v4);
    if (address.empty()) {  // all addresses; hosts without IPv6 exist
        auto fd = listen_on(as_v6, sizeof v6, AF_INET6);
        if (fd || (fd.error().code != EAFNOSUPPORT && fd.error().code != EADDRNOTAVAIL)) return fd;
        return listen_on(as_v4, sizeof v4, AF_INET);
    }
    if (::inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1) return listen_on(as_v4, sizeof v4, AF_INET);
    if (::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1) return listen_on(as_v6, sizeof v6, AF_INET6);
    return fail("not an IP address: " + address, EINVAL);
}

std::uint16_t bound_port(const Fd& fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                               : reinterpret_cast<sockaddr_in&>(address).sin_port);
}

}  // namespace

struct Server::State {
    void serve();
    bool accept_all();  // false: no descriptor is left for who waits
    void drop_oldest();
    bool on_readable(Connection& connection);  // false: close it
    bool answer(Connection& connection);
    bool write(Connection& connection);
    Response respond(const Request& request) const;

    ServerOptions options;
    Fd listener;
    Fd wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    std::uint16_t port = 0;
    std::map<std::string, std::map<std::string, Handler>> handlers;  // path, method
    std::vector<Connection> connections;
    std::jthread thread;
};

Response Server::State::respond(const Request& request) const {
    const auto path = handlers.find(request.path);
    if (path == handlers.end()) return {.status = 404, .body = "not found\n"};
    const auto method = path->second.find(request.method == "HEAD" ? "GET" : request.method);
    if (method == path->second.end()) return {.status = 405, .body = "method not allowed\n"};
    return method->second(request);
}

// Answers what has been read, one request at a time: the next one waits until the answer is
// written.
bool Server::State::answer(Connection& connection) {
    while (connection.out.empty() && !connection.in.empty()) {
        ParsedRequest parsed = parse_request(connection.in, options.max_request_bytes);
        if (parsed.state == ParsedRequest::State::NeedMore) return true;
        Response response{.status = parsed.error_status, .body = "bad request\n"};
        bool keeps_alive = false;
        if (parsed.state == ParsedRequest::State::Ready) {
            keeps_alive = parsed.keeps_alive;
            response = respond(parsed.request);
            connection.in.erase(0, parsed.length);
        }
        connection.out = write_response_head(response, keeps_alive);
        if (parsed.request.method != "HEAD") connection.out += response.body;
        connection.closes_after_write = !keeps_alive;
        connection.deadline = Clock::now() + options.timeout;
        if (!write(connection)) return false;
    }
    return true;
}

bool Server::State::write(Connection& connection) {
    while (connection.written < connection.out.size()) {
        const ssize_t n = ::send(connection.fd.get(), connection.out.data() + connection.written,
                                 connection.out.size() - connection.written, MSG_NOSIGNAL);
        if (n < 0) return errno == EAGAIN || errno == EINTR;
        connection.written += static_cast<std::size_t>(n);
    }
    if (connection.out.empty()) return true;
    connection.out.clear();
    connection.out.shrink_to_fit();  // a scrape is large, an idle connection should not be
    connection.written = 0;
    connection.deadline = Clock::now() + options.timeout;
    return !connection.closes_after_write;
}

bool Server::State::on_readable(Connection& connection) {
    char buffer[16 * 1024];
    const ssize_t n = ::recv(connection.fd.get(), buffer, sizeof buffer, 0);
    if (n == 0) return false;
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    if (connection.in.empty()) connection.deadline = Clock::now() + options.timeout;
    connection.in.append(buffer, static_cast<std::size_t>(n));
    return answer(connection);
}

void Server::State::drop_oldest() {
    const auto oldest = std::ranges::min_element(connections, {}, &Connection::deadline);
    if (oldest != connections.end()) connections.erase(oldest);
}

bool Server::State::accept_all() {
    bool has_made_room = false;
    for (;;) {
        Fd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!fd.is_open()) {
            const bool is_full = is_shortage(errno);
            // The kernel looks for a descriptor before it looks who waits.
            pollfd waiting{listener.get(), POLLIN, 0};
            if (!is_full || ::poll(&waiting, 1, 0) <= 0) return true;
            // One at a time, so that who was let in has time for a request.
            if (has_made_room || connections.empty()) return false;
            drop_oldest();
            has_made_room = true;
            continue;
        }
        const int on = 1;
        ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        // The one that waited longest makes room.
        if (connections.size() >= options.max_connections) drop_oldest();
        connections.push_back({.fd = std::move(fd), .deadline = Clock::now() + options.timeout});
    }
}

void Server::State::serve() {
    std::vector<pollfd> polled;
    Clock::time_point rest_until;
    for (;;) {
        const bool is_resting = rest_until > Clock::now();
        polled.assign({{wake.get(), POLLIN, 0}, {is_resting ? -1 : listener.get(), POLLIN, 0}});
        auto next = is_resting ? rest_until : Clock::now() + std::chrono::hours(1);
        for (const Connection& connection : connections) {
            // While an answer is being written nothing more is read: memory stays bounded.
            const short events = connection.out.empty() ? POLLIN : POLLOUT;
            polled.push_back({connection.fd.get(), events, 0});
            next = std::min(next, connection.deadline);
        }
        const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now());
        ::poll(polled.data(), polled.size(), static_cast<int>(std::max<int64_t>(wait.count(), 0)));
        if (polled[0].revents) return;

        const auto now = Clock::now();
        std::size_t at = 2;
        std::erase_if(connections, [&](Connection& connection) {
            const short events = polled[at++].revents;
            // Whatever arrives: who sends or takes a byte now and then would never be late.
            if (connection.deadline <= now) return true;
            if (events & POLLOUT) return !write(connection) || !answer(connection);
            return (events & (POLLIN | POLLHUP | POLLERR)) && !on_readable(connection);
        });
        if (polled[1].revents) rest_until = accept_all() ? Clock::time_point{} : Clock::now() + kRest;
    }
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}
Server::Server(Server&&) noexcept = default;
Server& Server::operator=(Server&& other) noexcept {
    if (this != &other) {
        stop();
        state_ = std::move(other.state_);
    }
    return *this;
}
Server::~Server() { stop(); }

Result<Server> Server::listen(ServerOptions options) {
    auto state = std::make_unique<State>();
    auto listener = listen_on(options.address, options.port);
    if (!listener)
        return std::unexpected(
            std::move(listener.error()).context(fmt::format("listening on {}:{}", options.address, options.port)));
    state->listener = std::move(*listener);
    state->port = bound_port(state->listener);
    state->options = std::move(options);
    return Server(std::move(state));
}

std::uint16_t Server::port() const { return state_->port; }

void Server::handle(std::string path, Handler handler, std::string method) {
    state_->handlers[std::move(path)][std::move(method)] = std::move(handler);
}

void Server::start() {
    state_->thread = std::jthread([state = state_.get()] { state->serve(); });
}

void Server::stop() {
    if (!state_ || !state_->thread.joinable()) return;
    ::eventfd_write(state_->wake.get(), 1);
    state_->thread.join();
    state_->connections.clear();
    state_->listener.reset();
}

}  // namespace waggle::http
