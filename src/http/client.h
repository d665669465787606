// SPDX-License-Identifier: Apache-2.0
// Client: one HTTP connection pool for calls from one thread, on libcurl. Never follows redirects;
// the response is bounded; cancel() ends a call from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/headers.h"

namespace waggle::http {

enum class Version : std::uint8_t {
    Http1,
    Http2,                // over TLS by ALPN; plaintext stays HTTP/1.1
    Http2PriorKnowledge,  // plaintext HTTP/2 without upgrade, as gRPC speaks it
};

struct ClientOptions {
    std::string ca_file;  // empty: the system's
    std::string certificate_file;
    std::string key_file;
    bool insecure_skip_verify = false;
    Version version = Version::Http1;
    std::chrono::milliseconds timeout{10'000};  // of a whole call
    std::size_t max_response_bytes = 4u << 20;
    std::string user_agent;
};

struct ClientRequest {
    std::string method = "POST";
    std::string url;
    Headers headers;
    std::string_view body;
};

struct ClientResponse {
    int status = 0;
    Headers headers;
    Headers trailers;
    std::string body;
};

class Client {
  public:
    static Result<Client> create(ClientOptions options);
    Client(Client&&) noexcept;
    Client& operator=(Client&&) noexcept;
    ~Client();

    // An error is a call that got no whole response.
    Result<ClientResponse> send(const ClientRequest& request);
    // The call that runs and all later ones fail.
    void cancel();

  private:
    struct State;
    explicit Client(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace waggle::http
