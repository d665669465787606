// SPDX-License-Identifier: Apache-2.0
// gRPC over any version of HTTP: what makes a message a call's, how a call ended, and what its span says (OpenTelemetry
// RPC conventions). A status that nobody saw is unknown, not OK. gRPC-Web's trailers stand in the body.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/base64.h"
#include "protocols/exchange.h"
#include "protocols/protocol.h"

namespace waggle::protocols::http {

// By a content type; gRPC-Web's is one, too.
bool is_grpc_type(std::string_view type);
bool is_grpc_web_type(std::string_view type);
// … whose body is written in base64.
bool is_grpc_web_text(std::string_view type);

// What a grpc-status says.
unsigned parse_grpc_status(std::string_view text);
// "OK", "CANCELLED", …; empty beyond the codes there are.
std::string_view grpc_status_text(unsigned code);
// Follows the messages of a gRPC-Web body to its trailers, which are the last one.
class GrpcWebTrailers {
  public:
    // What comes is base64.
    void set_text() { is_text_ = true; }
    void add(std::string_view bytes);
    // Bytes that were not copied.
    void skip(std::uint64_t size);
    void lose() { is_lost_ = true; }
    void clear();
    // The value of grpc-status.
    std::optional<std::string_view> status() const;

  private:
    static constexpr std::size_t kHead = 5;  // flags and length
    void read(std::string_view bytes);
    void end_head();

    std::array<char, kHead> head_{};
    std::size_t have_ = 0;    // of the head
    std::uint64_t left_ = 0;  // of the message
    bool is_trailers_ = false;
    bool is_lost_ = false;
    bool is_text_ = false;
    Base64Decoder decoder_;
    std::string trailers_;
};

struct GrpcFacts {
    std::string_view protocol;  // of the span
    std::string_view version;   // of HTTP
    std::string_view path;      // empty: unknown
    std::string_view authority;
    std::string_view tracestate;
    std::optional<unsigned> code;
    std::string_view code_text;  // as it was sent
    std::string_view failure;    // error.type of what has no code
};

void describe_grpc(const GrpcFacts& facts, const ExchangeState& exchange, const ConnectionInfo& info,
                   spans::SpanBatch& batch, spans::Span& span);

}  // namespace waggle::protocols::http
