// SPDX-License-Identifier: Apache-2.0
// Any bytes in any pieces as TLS records: whatever is cut off or missing, nothing is kept without bound, and the
// stream is taken to its end but for an unfinished header.
#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "protocols/tls_records.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    waggle::streams::Stream stream;
    waggle::protocols::TlsRecords records;
    waggle::protocols::TlsHandshake handshake;
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    std::uint64_t at = 0;
    std::uint32_t turn = 0;
    while (rest.size() > 4) {
        const std::size_t captured = std::min<std::size_t>(static_cast<std::uint8_t>(rest[0]), rest.size() - 4);
        const std::size_t hole = rest[1] & 1 ? static_cast<std::uint8_t>(rest[2]) * 64u : 0;
        const bool starts_turn = rest[1] & 2;
        at += rest[1] & 4 ? static_cast<std::uint8_t>(rest[3]) : 0;  // nobody reported these
        turn += starts_turn;
        rest.remove_prefix(4);
        stream.append({.position = at,
                       .size = captured + hole,
                       .bytes = rest.substr(0, captured),
                       .turn = turn,
                       .starts_turn = starts_turn});
        at += captured + hole;
        rest.remove_prefix(captured);
        records.follow(stream, turn % 2, at, handshake);
        if (records.data().size() > 64) std::abort();
        if (stream.bytes().size() >= 18 * 1024 + 4096) std::abort();  // a handshake is waited for
    }
    return 0;
}
