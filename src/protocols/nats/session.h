// SPDX-License-Identifier: Apache-2.0
// Session: one NATS connection. A publish ends when it is written, with its +OK where the client asked for those, with
// its answer where it names an inbox; a delivery ends with its payload.
#pragma once

#include <array>
#include <deque>
#include <string>
#include <vector>

#include "protocols/nats/wire.h"
#include "protocols/two_way.h"

namespace waggle::protocols::nats {

struct Codec {
    using Key = std::uint64_t;
    // Connect, Subscribe and Error are told only as failures.
    enum class Kind : std::uint8_t { Publish, Request, Reply, Ack, Nack, Deliver, Connect, Subscribe, Error };
    struct Request {
        Kind kind = Kind::Publish;
        bool is_confirmed = false;  // by +OK
        std::string subject;
        std::string reply;
        std::string group;
        std::string error;
        std::optional<spans::TraceContext> trace;
    };
    struct Response {};

    static std::size_t memory(const Request& request) {
        return request.subject.capacity() + request.reply.capacity() + request.group.capacity() +
               request.error.capacity();
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
    std::size_t memory() const override {
        return TwoWaySession::memory() + awaited_.size() * sizeof(Awaited) + groups_.capacity() * sizeof(Group) +
               group_bytes_;
    }

  private:
    // What the client has sent and +OK will answer.
    struct Awaited {
        Key key = 0;  // 0: nothing that is told
        Codec::Kind kind = Codec::Kind::Publish;
    };
    struct Group {
        std::string id;  // of the subscription
        std::string name;
    };

    Parsed<Unit> parse(const Half& half, std::string_view bytes, bool is_final) override;
    void on_frame(Half& half, std::string_view front, const Unit& unit, Context& context) override;
    void on_whole(Half& half, Key key, Context& context) override;
    void on_lost(Half& half, Context& context) override;

    void on_publish(Half& half, const Line& line, std::string_view body, Context& context);
    void on_delivery(Half& half, const Line& line, std::string_view body, bool is_cut, Context& context);
    void on_subscribe(const Line& line);
    void forget_group(std::string_view id);
    void on_ok(Half& half, Context& context);
    void on_error(Half& half, std::string_view text, Context& context);
    void tell_failure(Half& half, Codec::Kind kind, std::string_view subject, std::string_view error, Context& context);
    void await(Key key, Codec::Kind kind, Context& context);

    bool is_verbose_ = false;
    bool is_accepted_ = false;  // the server has answered something
    std::deque<Awaited> awaited_;
    std::vector<Group> groups_;
    std::size_t group_bytes_ = 0;  // of their texts
};

}  // namespace waggle::protocols::nats
