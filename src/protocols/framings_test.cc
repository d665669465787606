// SPDX-License-Identifier: Apache-2.0
// Framings: what the kernel side is told of where messages begin.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "bpf/lib/framing.h"
#include "protocols/protocol.h"

namespace waggle::protocols {
namespace {

const wg_framing& framing(std::string_view name) {
    return *(*std::ranges::find(all(), name, &Protocol::name))->framing;
}

struct Read {
    bool is_frame = false;
    __u64 total = 0;
    __u64 wanted = 0;
    friend bool operator==(const Read&, const Read&) = default;
};

Read read(const wg_framing& framing, std::string text) {
    std::uint8_t header[WG_FRAME_HEADER] = {};
    std::ranges::copy(text.substr(0, sizeof(header)), header);
    Read read;
    read.is_frame = wg_read_frame(&framing, header, &read.total, &read.wanted);
    return read;
}

TEST(Framings, FitIntoTheKernelsTable) {
    for (const Protocol* protocol : all()) {
        if (!protocol->framing) continue;
        const wg_framing& framing = *protocol->framing;
        EXPECT_LE(framing.header, WG_FRAME_HEADER) << protocol->name;
        EXPECT_LE(framing.length_at + framing.length_bytes, framing.header) << protocol->name;
        EXPECT_LT(framing.type_at, framing.header) << protocol->name;
    }
}

using namespace std::string_literals;

TEST(Framings, TellLengthsAndWhatIsWorthCopying) {
    const wg_framing& http2 = framing("http2");
    EXPECT_EQ(read(http2, "\0\x40\0\0\0\0\0\0\1"s), (Read{true, 16384 + 9, 9 + 512}));  // DATA
    EXPECT_EQ(read(http2, "\0\1\0\1\4\0\0\0\1"s), (Read{true, 256 + 9, 256 + 9}));      // HEADERS
    EXPECT_EQ(read(http2, "\0\0\0\0\1\0\0\0\1"s), (Read{true, 9, 9}));
    EXPECT_FALSE(read(http2, "GET / HTT"s).is_frame);
    const wg_framing& postgres = framing("postgresql");
    EXPECT_EQ(read(postgres, "Q\0\0\0\x0d"s), (Read{true, 14, 14}));
    EXPECT_EQ(read(postgres, "B\0\1\0\0"s), (Read{true, 65537, 261}));
    EXPECT_FALSE(read(postgres, "Q\0\0\0\3"s).is_frame);
    EXPECT_EQ(read(framing("kafka"), "\0\x10\0\0"s), (Read{true, (1 << 20) + 4, 16004}));
    EXPECT_EQ(read(framing("amqp"), "\3\0\1\0\0\1\0"s), (Read{true, 264, 7}));
    EXPECT_EQ(read(framing("mysql"), "\0\0\2\0"s), (Read{true, (2 << 16) + 4, 9221}));
    EXPECT_EQ(read(framing("mysql"), "\1\0\0\1"s), (Read{true, 5, 5}));
    EXPECT_FALSE(read(framing("mysql"), "\0\0\x41\0"s).is_frame);
    const std::string opcode = "\0\0\0\1\0\0\0\xdd\7\0\0"s;
    EXPECT_EQ(read(framing("mongodb"), "\x24\0\0\0\0"s + opcode), (Read{true, 36, 36}));
    EXPECT_EQ(read(framing("mongodb"), "\0\0\1\0\0"s + opcode), (Read{true, 65536, 16384}));
    EXPECT_FALSE(read(framing("mongodb"), "\x0f\0\0\0\0"s + opcode).is_frame);
    // The other byte order, and a length that counts all.
    const wg_framing little{
        .header = 8, .length_at = 1, .length_bytes = 3, .is_little = 1, .front = 4, .max_length = 1000};
    EXPECT_EQ(read(little, "\0\x64\0\0\0\0\0\0"s), (Read{true, 100, 12}));
    EXPECT_FALSE(read(little, "\0\7\0\0\0\0\0\0"s).is_frame);
    EXPECT_FALSE(read(little, "\0\0\1\1\0\0\0\0"s).is_frame);
}

}  // namespace
}  // namespace waggle::protocols
