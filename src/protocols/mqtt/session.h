// SPDX-License-Identifier: Apache-2.0
// Session: one MQTT connection. A message ends when it has gone by, or with the last of what its quality of service
// asks the other end to answer: Puback, or Pubcomp. Connect and Subscribe are told only when they are refused.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "protocols/mqtt/packets.h"
#include "protocols/two_way.h"

namespace waggle::protocols::mqtt {

struct Codec {
    using Key = std::uint64_t;
    enum class Kind : std::uint8_t { Publish, Deliver, Connect, Subscribe, Disconnect };
    struct Request {
        Kind kind = Kind::Publish;
        std::uint16_t id = 0;  // 0: nobody answers it
        bool is_topic_unknown = false;
        std::string topic;
        std::string client_id;
        std::string_view error;  // static text
        std::optional<spans::TraceContext> trace;
    };
    struct Response {};

    static std::size_t memory(const Request& request) {
        return request.topic.capacity() + request.client_id.capacity();
    }
    static std::optional<spans::TraceContext> trace_context(const Request& request);
    static bool is_in_gauge(const Request&) { return false; }
    static std::array<spans::Attribute, 0> open_attributes(const Request&) { return {}; }
    static void describe(const Exchange<Codec>& exchange, const ConnectionInfo& info, const Options& options,
                         spans::SpanBatch& batch, spans::Span& span);
};

class Session final : public TwoWaySession<Codec> {
  public:
    using TwoWaySession::TwoWaySession;
    std::size_t memory() const override { return TwoWaySession::memory() + kept_bytes_; }

  private:
    // A request that is told when it is refused.
    struct Pending {
        Codec::Kind kind{};
        std::uint16_t id = 0;
        std::uint64_t position = 0;
        std::uint64_t order = 0;
        std::uint64_t start_ns = 0;
        std::string filters;
    };
    struct Alias {
        std::uint16_t number = 0;
        std::string topic;
    };

    Parsed<Unit> parse(const Half& half, std::string_view bytes, bool is_final) override;
    void on_frame(Half& half, std::string_view front, const Unit& unit, Context& context) override;
    void on_whole(Half& half, Key key, Context& context) override;
    void on_lost(Half& half, Context& context) override;

    void on_publish(Half& half, const Packet& packet, std::string_view front, Context& context);
    void on_answer(Half& half, const Packet& packet, std::string_view front, Context& context);
    void on_suback(Half& half, const Packet& packet, std::string_view front, Context& context);
    void on_disconnect(Half& half, std::uint8_t reason, Context& context);
    void hold(const Half& half, Codec::Kind kind, std::uint16_t id, std::string_view filters, Context& context);
    void refuse(Half& half, const Pending& pending, std::string_view filter, std::string_view error, Context& context);
    bool resolve(Half& half, const Publish& publish, std::string& topic);
    void weigh_lists();
    std::vector<Alias>& aliases(const Half& half) { return aliases_[half.is_answer()]; }

    std::uint8_t level_ = 0;  // 0: not known
    std::string client_id_;
    std::vector<Pending> pending_;
    std::array<std::vector<Alias>, 2> aliases_;
    std::size_t kept_bytes_ = 0;  // of pending_ and aliases_
};

}  // namespace waggle::protocols::mqtt
