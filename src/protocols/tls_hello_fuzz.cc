// SPDX-License-Identifier: Apache-2.0
// Any records as a handshake: what is told of it is bounded, and never ends before it began.
#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "protocols/tls_hello.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    waggle::protocols::TlsHandshake handshake;
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    for (std::uint64_t now = 1; rest.size() > 2; ++now) {
        const std::size_t length = std::min<std::size_t>(static_cast<std::uint8_t>(rest[1]) * 8u, rest.size() - 2);
        handshake.on_record(rest[0] & 1, static_cast<std::uint8_t>(20 + (rest[0] >> 1 & 3)), rest.substr(2, length),
                            now);
        rest.remove_prefix(2 + length);
    }
    const waggle::protocols::TlsFacts& facts = handshake.facts();
    if (facts.server_name.size() > 255 || facts.offered_protocols.size() > 256 || facts.next_protocol.size() > 256)
        std::abort();
    if (facts.ended_ns && (facts.began_ns == 0 || facts.ended_ns < facts.began_ns)) std::abort();
    waggle::spans::SpanBatch batch;
    waggle::protocols::describe_tls(facts, batch, batch.add());
    return 0;
}
