// SPDX-License-Identifier: Apache-2.0
// Session: one AMQP connection. Messages go both ways: a publish ends when it is written, or confirmed where its
// channel asked for that; a delivery ends with its body; a get with what it brings. Frames are passed over by their
// lengths.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "protocols/amqp/frames.h"
#include "protocols/half.h"
#include "protocols/keyed.h"

namespace waggle::protocols::amqp {

struct Codec {
    using Key = std::uint64_t;  // exchanges are numbered as they come
    enum class Kind : std::uint8_t { Publish, Deliver, Get, Ack, Nack, Reject };
    struct Request {
        Kind kind = Kind::Publish;
        std::uint16_t channel = 0;
        std::uint64_t tag = 0;  // by which it is confirmed, 0: it is not
        bool is_told = false;   // is a span
        bool is_written = false;
        bool is_mandatory = false;  // comes back where no queue takes it
        bool is_unsure = false;     // nobody knows whether it is to be confirmed
        std::string destination;    // exchange and routing key
        std::string routing_key;
        std::string error;
        std::optional<spans::TraceContext> trace;
    };
    struct Response {};

    static std::optional<spans::TraceContext> trace_context(const Request& request);
    static bool is_in_gauge(const Request&) { return false; }
    static std::array<spans::Attribute, 0> open_attributes(const Request&) { return {}; }
    static void describe(const Exchange<Codec>& exchange, const ConnectionInfo& info, const Options& options,
                         spans::SpanBatch& batch, spans::Span& span);
};

void name_destination(const Call& call, std::string& to);

class Session final : public KeyedSession<Codec> {
  public:
    Session(const ConnectionInfo& info, Streams& streams, Direction requests);

    void on_bytes(Direction direction, Context& context) override;
    void on_tick(Context& context) override;
    void on_close(spans::Incomplete reason, Context& context) override;
    std::size_t open_exchanges() const override;
    std::size_t unreported() const override { return open_exchanges(); }
    bool wants_tails() const override;
    bool is_pipelined() const override { return true; }

  private:
    // A message of one channel that goes on.
    struct Assembly {
        std::uint16_t channel = 0;
        Key key = 0;
        std::uint64_t left = 0;
        std::uint32_t piece = 0;  // size of the newest body frame
        bool has_head = false;
    };
    struct Half : protocols::Half {
        using protocols::Half::Half;
        Key ends = 0;  // the message that is whole when the frame has been passed over
        std::vector<Assembly> assemblies;
    };
    struct Channel {
        std::uint16_t number = 0;
        bool is_known = false;  // since it was opened, or asked for confirmations: does it confirm?
        bool is_confirming = false;
        std::uint64_t published = 0;
    };

    void read(Half& half, Context& context);
    bool find(Half& half, Context& context);
    void drop_answered(Context& context);
    void drop_unconfirmed(std::uint16_t number, Context& context);
    bool read_next(Half& half, Context& context);
    static bool pass_body(Half& half);
    bool lose(Half& half, Context& context);
    void miss(Half& half, Context& context);
    void on_call(Half& half, const Frame& frame, const Call& call, Context& context);
    void on_content(Half& half, const Frame& frame, std::string_view payload, Context& context);
    void on_confirm(std::uint16_t channel, const Call& call, Context& context);
    void on_client_closes(Half& half, std::uint16_t channel, Context& context);
    void on_channel_closed(std::uint16_t channel, const Call& call, Context& context);
    Open& open_call(Half& half, Codec::Kind kind, const Frame& frame, const Call& call, Context& context);
    void assemble(Half& half, std::uint16_t channel, Key key, Context& context);
    void written(Half& half, Key key, Context& context);
    void tell(Open& exchange, Context& context);
    void end(Key key, Open& exchange, std::uint64_t end_ns, Context& context);
    void drop(Key key, Context& context);
    Key get_on(std::uint16_t channel) const;
    bool may_answer(const Open& exchange) const;
    void on_return(std::uint16_t channel, const Call& call);
    Channel& channel(std::uint16_t number);
    bool is_request_late() const;

    Half requests_;
    Half responses_;
    const bool is_received_;  // requests are
    std::vector<Channel> channels_;
    bool knows_channels_;  // nothing of the requests was missed: what was not asked for does not hold
    Key last_key_ = 0;
    bool is_slow_told_ = false;
};

}  // namespace waggle::protocols::amqp
