// SPDX-License-Identifier: Apache-2.0
// Session: one connection of DNS over TCP; questions are answered by their ids, in any order.
#pragma once

#include <array>
#include <string>

#include "protocols/dns/message.h"
#include "protocols/two_way.h"

namespace waggle::protocols::dns {

struct Codec {
    using Key = std::uint64_t;
    struct Request {
        std::uint16_t id = 0;
        std::uint16_t type = 0;
        bool has_question = false;
        std::uint32_t retries = 0;  // over UDP: how often it was asked again
        std::string name;
    };
    struct Response {
        std::uint8_t code = 0;
        bool is_truncated = false;
        std::string_view error;  // what the kernel said in its place
    };

    static std::optional<spans::TraceContext> trace_context(const Request&) { return {}; }
    static bool is_in_gauge(const Request&) { return false; }
    static std::array<spans::Attribute, 0> open_attributes(const Request&) { return {}; }
    static void describe(const Exchange<Codec>& exchange, const ConnectionInfo& info, const Options& options,
                         spans::SpanBatch& batch, spans::Span& span);
};

class Session final : public TwoWaySession<Codec> {
  public:
    using TwoWaySession::TwoWaySession;

  private:
    Parsed<Unit> parse(const Half& half, std::string_view bytes, bool is_final) override;
    void on_frame(Half& half, std::string_view front, const Unit& unit, Context& context) override;
    void on_whole(Half& half, Key key, Context& context) override;
    void on_lost(Half& half, Context& context) override;
};

}  // namespace waggle::protocols::dns
