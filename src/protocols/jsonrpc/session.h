// SPDX-License-Identifier: Apache-2.0
// Session: one connection of JSON-RPC. The client's calls are answered by their ids, in any order; what the server
// calls, and how that is answered, is not told.
#pragma once

#include <array>
#include <string>

#include "protocols/json/rpc.h"
#include "protocols/two_way.h"

namespace waggle::protocols::jsonrpc {

struct Codec {
    using Key = std::uint64_t;
    struct Request {
        std::string method;
        std::string id;  // empty: nobody answers
        std::string version;
    };
    struct Response {
        std::optional<std::int64_t> error;
        bool is_known = false;  // whether it is one
    };

    static std::optional<spans::TraceContext> trace_context(const Request&) { return {}; }
    static bool is_in_gauge(const Request&) { return false; }
    static std::array<spans::Attribute, 0> open_attributes(const Request&) { return {}; }
    static void describe(const Exchange<Codec>& exchange, const ConnectionInfo& info, const Options& options,
                         spans::SpanBatch& batch, spans::Span& span);
};

class Session final : public TwoWaySession<Codec> {
  public:
    Session(const ConnectionInfo& info, Streams& streams, Direction requests)
        : TwoWaySession(info, streams, requests), has_missed_calls_(!is_from_start(info, requests)) {}

  private:
    Parsed<Unit> parse(const Half& half, std::string_view bytes, bool is_final) override;
    void on_frame(Half& half, std::string_view front, const Unit& unit, Context& context) override;
    void on_whole(Half& half, Key key, Context& context) override;
    void on_lost(Half& half, Context& context) override;

    void on_call(Half& half, const json::RpcMessage& message, Context& context);
    void on_answer(Half& half, const json::RpcMessage& message, bool is_counted, Context& context);

    bool has_missed_calls_;
};

Sniff sniff(std::string_view bytes, Side side);

}  // namespace waggle::protocols::jsonrpc
