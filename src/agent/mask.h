// SPDX-License-Identifier: Apache-2.0
// PayloadMask: overwrites letters and digits of captured bytes that a replay does not need. It
// follows the framing of HTTP/1, so that heads cut at any byte stay readable and bodies never do:
// of a head it keeps methods, paths, names of query parameters and fields, status, and the few
// values that framing, naming and tracing need. Of what is no HTTP/1 nothing stays, but the shape of
// TLS records. One owner at a time.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>

#include "bpf/abi/events.h"

namespace waggle::agent {

class PayloadMask {
  public:
    void data(wg_data_event& event, std::span<char> payload);
    void close(wg_close_event& event);
    // Of a datagram the numbers of its first twelve bytes stay, and how long the labels of a name are that follows
    // them.
    static void datagram(std::span<char> payload);
    // The last bytes of a turn: only the end of a chunked body stays.
    static void tail(std::uint8_t (&bytes)[8]);

  private:
    enum class Part : std::uint8_t { Start, Head, Body, ChunkSize, ChunkData, Trailers, Opaque };
    struct Flow {
        Part part = Part::Start;
        std::uint64_t next = 0;  // position after what was seen
        std::uint64_t left = 0;  // of a body or chunk, what is still to come
        std::string line;        // the unfinished line, as it was
        bool is_tls = false;
        bool is_response = false;
        bool has_no_body = false;
        bool is_chunked = false;
        bool has_length = false;
        std::uint64_t length = 0;
    };

    static void hide(Flow& flow, std::span<char> bytes);
    void pass_over(Flow& flow, std::uint64_t bytes);
    std::span<char> take_line(Flow& flow, std::span<char> rest, bool& is_whole);
    void start_line(Flow& flow, std::span<char> piece, bool is_whole);
    void field_line(Flow& flow, std::span<char> piece, bool is_whole);
    void end_of_head(Flow& flow);
    void chunk_size(Flow& flow, std::span<char> piece, bool is_whole);

    std::unordered_map<std::uint64_t, std::array<Flow, 2>> flows_;
};

}  // namespace waggle::agent
