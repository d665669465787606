// SPDX-License-Identifier: Apache-2.0
// Session: one FastCGI connection. Records are passed over by their lengths; several requests may be under way, each
// with its id. An answer whose last records were not copied ends with the connection, with the next request of its id,
// or when nothing came for a second.
#pragma once

#include <array>
#include <string>

#include "protocols/fastcgi/records.h"
#include "protocols/half.h"
#include "protocols/keyed.h"

namespace waggle::protocols::fastcgi {

struct Codec {
    using Key = std::uint16_t;  // the request's id
    struct Request {
        std::string bytes;  // of the parameters, until they are read
        Params params;
        bool is_told = false;  // its parameters have been read
        bool is_cut = false;   // … not to their end
    };
    struct Response {
        std::string bytes;  // of the head, until its status is known
        std::uint16_t status = 0;
        bool is_head_whole = false;
        bool is_cut = false;  // its last records may be in what was not copied
        std::string_view failure;
    };

    static std::optional<spans::TraceContext> trace_context(const Request& request);
    static bool is_in_gauge(const Request& request) { return request.is_told; }
    static std::array<spans::Attribute, 2> open_attributes(const Request& request);
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

  private:
    void read(Half& half, Context& context);
    bool find(Half& half, Context& context);
    bool read_next(Half& half, Context& context);
    bool lose(Half& half, Context& context);
    void on_request(const Record& record, std::string_view content, Context& context);
    void on_response(const Record& record, std::string_view content, Context& context);
    void on_begin(std::uint16_t id, Context& context);
    void on_output(const Record& record, std::string_view content, Open& exchange);
    void end_params(Open& exchange, bool is_cut, Context& context);
    void end(Key key, Open& exchange, std::uint64_t end_ns, Context& context);
    bool is_request_late() const;
    bool may_answer(const Open& exchange) const;

    Half requests_;
    Half responses_;
    const bool is_received_;             // requests are
    std::optional<std::uint32_t> turn_;  // of the newest request
    bool has_multiplexed_ = false;
    std::uint64_t passed_order_ = 0;  // requests before it may have been answered in a turn that was not read
    bool is_slow_told_ = false;
};

}  // namespace waggle::protocols::fastcgi
