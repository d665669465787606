// SPDX-License-Identifier: Apache-2.0
// Http2Session: one HTTP/2 connection. Each direction is read frame by frame (session.cc); what the frames mean
// for the exchanges is in session_streams.cc. Bodies are passed over by their frames' lengths, also where
// they were not captured. Where a frame header is missing the direction is lost until frames are found
// again beyond doubt (find_frames); what ended meanwhile is reported as not captured.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "protocols/http2/describe.h"
#include "protocols/http2/frames.h"
#include "protocols/http2/hpack.h"

namespace waggle::protocols::http2 {

class Http2Session final : public KeyedSession<Codec> {
  public:
    Http2Session(const ConnectionInfo& info, Streams& streams, Direction requests);

    // The connection began in HTTP/1.1: its request is stream 1 (RFC 7540 §3.2).
    void take_over(Handover& handover, Context& context);

    void on_bytes(Direction direction, Context& context) override;
    void on_tick(Context& context) override;
    void on_close(spans::Incomplete reason, Context& context) override;
    bool wants_tails() const override;
    // Heads may begin anywhere in a turn.
    bool is_pipelined() const override { return true; }

  private:
    enum class State : std::uint8_t { Fresh, Frames, Lost };

    // A header block while its frames come.
    struct Block {
        bool is_open = false;
        bool is_cut = false;  // a part of it was not captured
        bool is_promise = false;
        bool ends_stream = false;
        std::uint32_t stream = 0;
        // Of its first frame.
        std::uint64_t position = 0;
        std::uint64_t order = 0;
        std::uint64_t first_ns = 0;
        std::uint32_t queue_us = 0;
        std::uint64_t end_ns = 0;
        std::string text;
    };

    struct Half {
        Half(streams::Stream& its_stream, Direction its_direction) : stream(its_stream), direction(its_direction) {}
        streams::Stream& stream;
        const Direction direction;
        State state = State::Fresh;
        Decoder decoder;
        spans::Incomplete why = spans::Incomplete::No;  // what the decoder does not know
        Block block;
        // A frame that is passed over, its stream, and whether that ends with it.
        std::optional<std::uint64_t> payload_end;
        std::uint32_t payload_stream = 0;
        bool ends_stream = false;
        bool is_kept = false;  // its bytes are looked at
        std::uint64_t lost_position = 0;
    };

    bool is_request(const Half& half) const { return &half == &requests_; }

    // session.cc
    void read(Half& half, Context& context);
    bool begin_half(Half& half);
    bool is_at_start(const Half& half) const;
    bool is_ahead(const Half& half, const Context& context) const;
    bool pass_payload(Half& half, Context& context);
    bool read_frame(Half& half, Context& context);
    bool read_data(Half& half, const FrameHeader& header, std::string_view bytes, Context& context);
    bool read_block(Half& half, const FrameHeader& header, std::string_view bytes, Context& context);
    bool read_control(Half& half, const FrameHeader& header, std::string_view bytes, Context& context);
    void finish_block(Half& half, Context& context);
    void lose(Half& half, Cause cause, Context& context);
    bool find_again(Half& half, Context& context);
    bool is_known(const Half& half, const FrameHeader& header) const;
    static void pass(Half& half, const FrameHeader& header);

    // session_streams.cc
    void on_request_head(const Half& half, Fields& fields, Context& context);
    void on_response_head(const Half& half, Fields& fields, Context& context);
    void on_data(const Half& half, std::uint32_t stream, std::uint64_t content, bool is_size_known);
    bool wants_content(const Half& half, std::uint32_t stream) const;
    void add_content(const Half& half, std::uint32_t stream, std::string_view bytes, std::uint64_t missing);
    void note_unseen(const Half& half, std::uint32_t stream);
    void on_payload(const Half& half, std::uint32_t stream, std::uint64_t end_ns);
    void on_end(const Half& half, std::uint32_t stream, std::uint64_t end_ns, Context& context);
    void on_reset(const Half& half, std::uint32_t stream, std::uint32_t error, std::uint64_t end_ns, Context& context);
    void on_go_away(std::uint32_t last_stream, std::uint64_t end_ns, Context& context);
    void on_lost(const Half& half);
    void on_found(const Half& half, Context& context);
    static bool has_all(const Open& exchange);
    bool prove_end(Open& exchange, std::uint64_t position) const;
    void settle(Context& context);
    void conclude(Key key, Open& exchange, Context& context, std::uint64_t end_ns);
    std::uint64_t last_time(const Context& context) const;

    Half requests_;
    Half responses_;
    const bool is_received_;  // requests are
    bool has_preface_ = false;
    bool is_closing_ = false;
    std::uint32_t first_stream_ = 0;  // of those whose requests were seen
    std::uint32_t last_stream_ = 0;
    std::uint32_t answered_stream_ = 0;  // the last one that was answered without its request having been seen
    Fields scratch_;
};

}  // namespace waggle::protocols::http2
