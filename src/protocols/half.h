// SPDX-License-Identifier: Apache-2.0
// Half: one direction of a connection, for sessions that read frame after frame (two_way.h, FastCGI, AMQP). What frames
// carry is passed over by its length, copied or not.
#pragma once

#include <algorithm>
#include <cstdint>

#include "protocols/protocol.h"
#include "streams/stream.h"

namespace waggle::protocols {

struct Half {
    streams::Stream& stream;
    Side side;
    bool is_lost;                 // a frame may begin anywhere
    std::uint64_t passed_to = 0;  // bytes before it are passed over

    Half(streams::Stream& its_stream, Side its_side, bool is_lost_at_first)
        : stream(its_stream), side(its_side), is_lost(is_lost_at_first) {}

    bool is_answer() const { return side == Side::Response; }
    bool is_final() const { return stream.is_cut() || stream.is_closed(); }
    // Has something gone by since then that was not read?
    bool has_missed(std::uint64_t since_ns) const { return is_lost && stream.end_ns() >= since_ns; }

    // False: what is passed over has not come to its end.
    bool pass() {
        if (stream.head() < passed_to) stream.skip_to(std::min(passed_to, std::max(stream.end(), stream.head())));
        return stream.head() >= passed_to;
    }
};

// Was the direction seen from the connection's first byte?
inline bool is_from_start(const ConnectionInfo& info, Direction direction) {
    return info.from_start >> static_cast<unsigned>(direction) & 1;
}

}  // namespace waggle::protocols
