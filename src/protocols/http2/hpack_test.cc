// SPDX-License-Identifier: Apache-2.0
#include "protocols/http2/hpack.h"

#include <gtest/gtest.h>

#include <random>

#include "base/strings.h"
#include "protocols/http2/huffman.h"
#include "protocols/testing/frames.h"

namespace waggle::protocols::http2 {
namespace {

using Result = Decoder::Result;
using testing::Header;
using testing::HeaderEncoder;

std::string from_hex(std::string_view text) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        bytes += static_cast<char>(parse_int<unsigned>(text.substr(i, 2), 16).value());
    return bytes;
}

// RFC 7541 appendix C.4: requests with Huffman codes, on one connection.
TEST(Hpack, ReadsTheRequestsOfTheStandard) {
    Decoder decoder;
    Fields fields;
    ASSERT_EQ(decoder.decode(from_hex("828684418cf1e3c2e5f23a6ba0ab90f4ff"), fields), Result::Whole);
    EXPECT_EQ(fields.text(Name::Method), "GET");
    EXPECT_EQ(fields.text(Name::Scheme), "http");
    EXPECT_EQ(fields.text(Name::Path), "/");
    EXPECT_EQ(fields.text(Name::Authority), "www.example.com");
    fields.clear();
    ASSERT_EQ(decoder.decode(from_hex("828684be5886a8eb10649cbf"), fields), Result::Whole);
    EXPECT_EQ(fields.text(Name::Authority), "www.example.com");
    fields.clear();
    ASSERT_EQ(decoder.decode(from_hex("828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf"), fields), Result::Whole);
    EXPECT_EQ(fields.text(Name::Authority), "www.example.com");
    EXPECT_EQ(fields.text(Name::Path), "/index.html");
    EXPECT_EQ(decoder.entries(), 3u);
}

// Appendix C.5: responses with a table of 256 bytes, from which entries go.
TEST(Hpack, ReadsTheResponsesOfTheStandard) {
    Decoder decoder;
    Fields fields;
    const std::string update = from_hex("3fe101");  // to 256
    ASSERT_EQ(decoder.decode(
                  update + from_hex("4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a"
                                    "323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d"),
                  fields),
              Result::Whole);
    EXPECT_EQ(fields.text(Name::Status), "302");
    EXPECT_EQ(decoder.entries(), 4u);
    fields.clear();
    ASSERT_EQ(decoder.decode(from_hex("4803333037c1c0bf"), fields), Result::Whole);
    EXPECT_EQ(fields.text(Name::Status), "307");
    EXPECT_EQ(decoder.entries(), 4u);
}

TEST(Hpack, WhatNoEncoderWritesIsMalformed) {
    for (const std::string_view block :
         {"80", "be", "7f80ffffffffff", "8220", "0000", "0085ffffffffff", "408325a8ff00"}) {
        Decoder decoder;
        Fields fields;
        EXPECT_NE(decoder.decode(from_hex(block), fields), Result::Whole) << block;
        EXPECT_TRUE(fields.has_nameless());
        EXPECT_FALSE(decoder.is_exact());
    }
}

TEST(Hpack, FieldsBeforeACutAreKnown) {
    Decoder decoder;
    Fields fields;
    EXPECT_EQ(decoder.decode(from_hex("828684418cf1e3c2e5"), fields), Result::Cut);
    EXPECT_EQ(fields.text(Name::Path), "/");
    EXPECT_TRUE(fields.may_have(Name::Authority));
}

TEST(Hpack, AfterALossOldEntriesAreUnknownAndNewOnesAreNot) {
    HeaderEncoder encoder;
    Decoder decoder;
    Fields fields;
    decoder.decode(encoder.encode({{":path", "/old"}}, {}), fields);
    decoder.lose();
    encoder.encode({{":authority", "unseen"}}, {});
    fields.clear();
    ASSERT_EQ(decoder.decode(encoder.encode({{":path", "/old"}, {"user-agent", "new"}}, {}), fields), Result::Whole);
    EXPECT_TRUE(fields.may_have(Name::Path));
    EXPECT_EQ(fields.text(Name::UserAgent), "new");
    fields.clear();
    ASSERT_EQ(decoder.decode(encoder.encode({{"user-agent", "new"}, {":path", "/other"}}, {}), fields), Result::Whole);
    EXPECT_EQ(fields.text(Name::UserAgent), "new");
    EXPECT_EQ(fields.text(Name::Path), "/other");
    EXPECT_FALSE(fields.has_nameless());
}

// Whatever is lost and however tables shrink: a field is the one that was sent, or unknown.
TEST(Hpack, IsNeverWrong) {
    std::mt19937_64 random(7);
    std::uint64_t known = 0;
    std::uint64_t unknown = 0;
    for (int connection = 0; connection < 300; ++connection) {
        HeaderEncoder encoder;
        Decoder decoder;
        bool is_whole = true;
        for (int message = 0; message < 60; ++message) {
            if (random() % 12 == 0) encoder.set_limit(random() % 3 ? random() % 600 : 4096);
            const std::string path = "/" + std::string(random() % 40, 'p') + std::to_string(random() % 8);
            const std::string agent = "agent" + std::to_string(random() % 4);
            std::vector<Header> sent = {
                {":method", random() % 2 ? "GET" : "PURGE"}, {":path", path}, {"user-agent", agent}};
            if (random() % 3 == 0)
                sent.emplace_back("x-" + std::to_string(random() % 5), std::string(random() % 300, 'v'));
            const std::string block = encoder.encode(sent, {random() % 2 == 0, random() % 8 == 0, random() % 8 == 0});
            if (random() % 20 == 0) {
                decoder.lose();
                is_whole = false;
                continue;
            }
            Fields fields;
            ASSERT_EQ(decoder.decode(block, fields), Result::Whole);
            for (const auto& [name, value] : sent) {
                const Name id = name_of(name);
                if (id == Name::Other) continue;
                if (fields.has(id)) {
                    ASSERT_EQ(fields.text(id), value);
                    ++known;
                } else {
                    ASSERT_TRUE(fields.may_have(id));
                    ASSERT_FALSE(is_whole);
                    ++unknown;
                }
            }
        }
    }
    EXPECT_GT(known, 10 * unknown);
    EXPECT_GT(unknown, 100u);
}

TEST(Huffman, GivesBackWhatWasCoded) {
    std::mt19937_64 random(3);
    for (int i = 0; i < 2000; ++i) {
        std::string text(random() % 60, '\0');
        for (char& c : text) c = static_cast<char>(i % 2 ? random() : 'a' + random() % 26);
        std::string out;
        std::size_t size = 0;
        ASSERT_TRUE(decode_huffman(encode_huffman(text), 100, out, size));
        EXPECT_EQ(out, text);
        ASSERT_TRUE(decode_huffman(encode_huffman(text), 7, out, size));
        EXPECT_EQ(out, text.substr(0, 7));
        EXPECT_EQ(size, text.size());
    }
}

TEST(Huffman, RefusesWrongPaddingAndTheEndOfText) {
    std::string out;
    std::size_t size = 0;
    EXPECT_FALSE(decode_huffman("\x1e", 10, out, size));              // "a", then zeros
    EXPECT_FALSE(decode_huffman("\xff\xff", 10, out, size));          // more than seven bits of padding
    EXPECT_FALSE(decode_huffman("\xff\xff\xff\xff", 10, out, size));  // EOS
    EXPECT_TRUE(decode_huffman("", 10, out, size));
}

}  // namespace
}  // namespace waggle::protocols::http2
