// SPDX-License-Identifier: Apache-2.0
// Session: one Kafka connection. Frames are passed over by their lengths; answers find their requests by
// correlation id. A Fetch becomes a span when its answer has records or an error; what is neither Produce nor
// Fetch never does. After a loss a direction is read again where a frame begins beyond doubt.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "protocols/kafka/records.h"
#include "protocols/keyed.h"

namespace waggle::protocols::kafka {

struct Codec {
    using Key = std::uint64_t;  // requests are numbered as they come
    struct Request {
        std::int16_t api = 0;
        std::int16_t version = 0;
        std::int32_t id = 0;
        bool is_told = false;     // is a span
        bool is_copy = false;     // a broker copies from another
        std::uint64_t fetch = 0;  // number of the Fetch
        std::string client_id;
        std::string group;
        std::string topic;
        Contents contents;  // of a Produce
    };
    struct Response {
        Contents contents;  // of a Fetch
        ProduceResult result;
    };

    static std::optional<spans::TraceContext> trace_context(const Request& request);
    static bool is_in_gauge(const Request&) { return false; }
    static std::array<spans::Attribute, 0> open_attributes(const Request&) { return {}; }
    static void describe(const Exchange<Codec>& exchange, const ConnectionInfo& info, const Options& options,
                         spans::SpanBatch& batch, spans::Span& span);
};

class Session final : public KeyedSession<Codec> {
  public:
    Session(const ConnectionInfo& info, Streams& streams, Direction requests);

    void on_bytes(Direction direction, Context& context) override;
    void on_tick(Context& context) override;
    void on_close(spans::Incomplete reason, Context& context) override;
    std::size_t open_exchanges() const override;
    std::size_t unreported() const override { return open_exchanges(); }
    bool wants_tails() const override;
    // Producers may send many at once at any time.
    bool is_pipelined() const override { return true; }

  private:
    enum class Body : std::uint8_t { None, Records, Whole };

    // One direction: where the frame under way ends, and what is done with its body.
    struct Side {
        streams::Stream& stream;
        std::uint64_t passed_to = 0;  // bytes before it are passed over
        std::uint64_t frame_end = 0;
        Key key = 0;
        Body body = Body::None;
        bool is_lost = false;  // a frame may begin anywhere
        RecordsReader records;

        bool pass();
        bool is_final() const { return stream.is_cut() || stream.is_closed(); }
        std::string_view view() const;
        void begin_frame(std::uint64_t end, std::uint64_t head);
        void end_body();
    };
    enum class Progress : std::uint8_t { Waits, GoesOn, Ends };

    void read_requests(Context& context);
    bool find_request();
    bool goes_on(std::int32_t id) const;
    bool read_request_head(Context& context);
    void open_request(const Head& head, Context& context);
    bool read_request_body(Context& context);
    void end_request_body(Context& context);
    void read_fetch(std::string_view body, Open& exchange);
    void learn_group(std::string_view body, const Open& exchange, Context& context);
    void lose_requests(Context& context);

    void read_responses(Context& context);
    bool find_response(Context& context);
    bool read_response_head(Context& context);
    bool read_response_body(Context& context);
    void read_answer(std::string_view body, Open& exchange, Context& context);
    void end_response(Context& context);
    void lose_responses(Context& context);
    void lose_answers_before(Key key, Context& context);
    bool is_request_late() const;
    enum class Chain : std::uint8_t { No, Open, Closed };
    Chain chain_of(std::string_view bytes) const;

    static Progress read_records(Side& side, Contents& contents, Context& context);
    void tell(Open& exchange, Context& context);
    void end(Key key, Open& exchange, std::uint64_t end_ns, Context& context);
    std::optional<Key> key_of(std::int32_t id) const;
    std::string group_key(std::string_view client_id) const;

    Side requests_;
    Side responses_;
    const bool is_received_;  // requests are
    const Direction request_direction_;
    Key last_key_ = 0;
    std::int32_t last_id_ = 0;  // of the newest request
    std::uint64_t fetches_ = 0;
    FetchRequest fetch_;                    // as it was read last, for its memory
    std::vector<FetchPosition> positions_;  // of the newest Fetch, those that its session has kept included
    std::string client_id_;
    std::string group_;
    bool is_group_known_ = true;      // unless there are two
    bool ends_with_request_ = false;  // nothing answers the request under way
    bool is_answered_ = false;        // the answer under way has been read, not passed
    bool has_lost_answers_ = false;
    bool has_pipelined_ = false;
    bool is_raw_ = false;  // frames of SASL without heads
    bool is_slow_told_ = false;
};

}  // namespace waggle::protocols::kafka
