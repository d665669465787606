// SPDX-License-Identifier: Apache-2.0
#include "protocols/tls_records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace waggle::protocols {
namespace {

using namespace std::string_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string record(std::uint8_t type, std::size_t size) {
    return std::string{static_cast<char>(type), 3, 3, static_cast<char>(size >> 8), static_cast<char>(size & 0xff)} +
           std::string(size, '.');
}

class Records : public ::testing::Test {
  protected:
    // `captured` of the bytes were copied.
    void add(std::string_view bytes, std::size_t captured = std::string::npos, bool starts_turn = false) {
        stream_.append({.position = at_,
                        .size = bytes.size(),
                        .bytes = bytes.substr(0, captured),
                        .turn = turn_ += starts_turn,
                        .starts_turn = starts_turn});
        at_ += bytes.size();
        records_.follow(stream_, 0, 1, handshake_);
    }
    streams::Stream stream_;
    TlsRecords records_;
    TlsHandshake handshake_;
    std::uint64_t at_ = 1000;
    std::uint32_t turn_ = 0;
};

TEST(ReadTlsRecord, KnowsAHeader) {
    EXPECT_EQ(read_tls_record("\x16\x03\x01\x02\x00\x01"s)->size, 512);
    EXPECT_EQ(read_tls_record("\x17\x03\x03\x40\x11"s)->type, 23);
    for (const std::string& other :
         {"\x17\x03\x03\x40"s, "\x17\x03\x05\x00\x10"s, "\x13\x03\x03\x00\x10"s, "\x18\x03\x03\x00\x10"s,
          "\x17\x03\x03\x00\x00"s, "\x17\x03\x03\x60\x00"s, "GET /"s, ""s})
        EXPECT_FALSE(read_tls_record(other)) << other;
}

TEST(BeginsTls, NeedsMoreThanTheHeader) {
    const std::string hello = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s;
    for (const std::string& text :
         {hello, hello.substr(0, 5), "\x14\x03\x03\x00\x01\x01"s, "\x15\x03\x03\x00\x02\x02\x28"s,
          "\x17\x03\x03\x00\x20"s, "\x16\x03\x03\x00\x28\x99\x99\x99\x99"s})
        EXPECT_TRUE(begins_tls(text)) << ::testing::PrintToString(text);
    for (const std::string& text :
         {"\x16\x03\x01\x02\x00\x01\x00\x00\x01\x03"s, "\x14\x03\x03\x00\x02"s, "\x15\x03\x03\x00\x03"s,
          "\x17\x03\x03\x00\x0f"s, "\x16\x03\x03\x00\x03\x01\x00\x00\x00"s, "GET / "s})
        EXPECT_FALSE(begins_tls(text)) << ::testing::PrintToString(text);
}

// Its length in three bytes, the number of the packet, and the command or a character of a row.
TEST(BeginsTls, AMySqlPacketIsNone) {
    for (unsigned size = 1; size < 270'000; ++size)
        for (const unsigned number : {0u, 1u, 5u})
            for (const char command : {'\x01', '\x03', '\x16', '\x17', '\x1b'}) {
                const std::string packet =
                    std::string{static_cast<char>(size), static_cast<char>(size >> 8), static_cast<char>(size >> 16),
                                static_cast<char>(number), command} +
                    std::string(2000, ' ');
                if (begins_tls(packet)) ADD_FAILURE() << size << ' ' << number << ' ' << int{command};
            }
}

TEST(CanHold, KnowsWhatCiphersAdd) {
    for (const auto& [record, plaintext] :
         {std::pair(117, 100), {116, 100}, {124, 100}, {144, 100}, {148, 100}, {52, 15}, {68, 16}})
        EXPECT_TRUE(can_hold(record, plaintext));
    for (const auto& [record, plaintext] :
         {std::pair(100, 100), {99, 100}, {118, 100}, {145, 100}, {300, 100}, {132, 100}, {164, 100}, {36, 0}})
        EXPECT_FALSE(can_hold(record, plaintext));
}

TEST_F(Records, SplitAnywhere) {
    const std::string all = record(22, 200) + record(23, 50) + record(20, 1) + record(23, 17);
    for (std::size_t i = 0; i < all.size(); ++i) add(all.substr(i, 1), 1, i == 0);
    EXPECT_THAT(records_.data(), ElementsAre(50, 17));
}

TEST_F(Records, BeyondWhatWasCopied) {
    add(record(23, 900), 100, true);
    add(record(23, 30));
    EXPECT_THAT(records_.data(), ElementsAre(900, 30));
}

TEST_F(Records, BeginAnewAtATurnWhenTheyWereLost) {
    add(record(23, 60) + record(23, 61), 65 + 3, true);  // the second header is cut
    EXPECT_THAT(records_.data(), ElementsAre(60));
    add(record(23, 70), std::string::npos, true);
    EXPECT_THAT(records_.data(), ElementsAre(60, 70));
}

TEST_F(Records, OfAConnectionThatIsOlder) {
    add("the rest of a record");
    add(record(23, 40), std::string::npos, true);
    EXPECT_THAT(records_.data(), ElementsAre(40));
    records_.forget_data();
    EXPECT_THAT(records_.data(), IsEmpty());
}

TEST_F(Records, KeepsABoundedNumber) {
    for (int i = 0; i < 1000; ++i) add(record(23, 40), std::string::npos, i == 0);
    EXPECT_LE(records_.data().size(), 64u);
}

}  // namespace
}  // namespace waggle::protocols
