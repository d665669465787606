// SPDX-License-Identifier: Apache-2.0
// Server: small HTTP/1.1 server for scrapes and health, run by one thread of its own. Requests,
// time and connections are bounded, so a slow or hostile client costs one connection slot and
// nothing else. Handlers run on that thread: they must not wait.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "http/headers.h"

namespace waggle::http {

struct Request {
    std::string method;
    std::string path;   // without the query
    std::string query;  // without '?'
    Headers headers;
    std::string body;
};

struct Response {
    int status = 200;
    std::string content_type = "text/plain; charset=utf-8";
    Headers headers;
    std::string body;
};

using Handler = std::function<Response(const Request&)>;

struct ServerOptions {
    std::string address;     // IP address; empty: all, IPv6 and IPv4
    std::uint16_t port = 0;  // 0: any free one
    std::uint32_t max_connections = 64;
    std::size_t max_request_bytes = 64 * 1024;  // head and body
    // For reading a request from its first byte, for writing a response, and for being idle.
    std::chrono::milliseconds timeout{10'000};
};

class Server {
  public:
    // Listens; serves after start().
    static Result<Server> listen(ServerOptions options);
    Server(Server&&) noexcept;
    Server& operator=(Server&&) noexcept;
    ~Server();  // stops

    std::uint16_t port() const;
    // Exact path, GET (and HEAD) or any method given. Before start().
    void handle(std::string path, Handler handler, std::string method = "GET");
    void start();
    void stop();

  private:
    struct State;
    explicit Server(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace waggle::http
