// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "protocols/kafka/kafka.h"
#include "protocols/kafka/records.h"
#include "protocols/shared_names.h"

namespace waggle::protocols::kafka {
namespace {

using namespace std::string_view_literals;

TEST(KafkaReader, ReadsNumbersOfAnySize) {
    Reader reader("\xff\x00\x80\x80\x00\x00\x00\xac\x02\x03\x04"sv, false);
    EXPECT_EQ(reader.i8(), -1);
    EXPECT_EQ(reader.i16(), 0x80);
    EXPECT_EQ(reader.i32(), static_cast<std::int32_t>(0x80000000));
    EXPECT_EQ(reader.unsigned_varint(), 300u);
    EXPECT_EQ(reader.varint(), -2);
    EXPECT_EQ(reader.varint(), 2);
    EXPECT_TRUE(reader.is_good());
    reader.i8();
    EXPECT_EQ(reader.state(), Reader::State::Short);
}

TEST(KafkaReader, NoLengthIsBelieved) {
    Reader endless("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"sv, true);
    endless.unsigned_varint();
    EXPECT_EQ(endless.state(), Reader::State::Bad);
    Reader huge("\x7f\xff\xff\xff"sv, false);
    EXPECT_EQ(huge.array(), 0x7fffffff);
    huge.skip(0x7fffffff);
    EXPECT_EQ(huge.state(), Reader::State::Short);
    Reader negative("\xff\xff\xff\x00"sv, false);
    negative.array();
    EXPECT_EQ(negative.state(), Reader::State::Bad);
}

TEST(KafkaErrors, HaveNames) {
    EXPECT_EQ(error_name(3), "UNKNOWN_TOPIC_OR_PARTITION");
    EXPECT_EQ(error_name(-1), "UNKNOWN_SERVER_ERROR");
    EXPECT_EQ(error_name(999), "999");
}

TEST(KafkaSniff, IsStrict) {
    const auto verdict = [](std::string_view bytes) { return sniff(bytes, protocols::Side::Request); };
    EXPECT_EQ(verdict("\0\0\0\x0d\0\x12\0\0\0\0\0\1\0\x03lib"sv), Sniff::Yes);
    EXPECT_EQ(verdict("\0\0\0\x0d\0\x12\0\0\0\0\0\1\0\x03li"sv), Sniff::NeedMore);
    EXPECT_EQ(verdict("\0\0\0"sv), Sniff::NeedMore);
    EXPECT_EQ(verdict("\0\0\0\x0e\0\x12\0\0\0\0\0\1\0\x03lib\0"sv), Sniff::No) << "this version has no body";
    EXPECT_EQ(verdict("\0\0\0\x0d\0\x12\0\0\0\0\0\1\0\x03l\1b"sv), Sniff::No) << "a name that cannot be";
    EXPECT_EQ(verdict("\0\0\0\x0d\0\x7f\0\0\0\0\0\1\0\x03lib"sv), Sniff::No) << "no such API";
    EXPECT_EQ(verdict("\0\0\0\x0d\0\x12\0\x30\0\0\0\1\0\x03lib"sv), Sniff::No) << "no such version";
    EXPECT_EQ(verdict("\0\0\0\x0d\0\x12\0\0\x80\0\0\1\0\x03lib"sv), Sniff::No) << "no such number";
    // PostgreSQL's first words look like a Metadata request.
    EXPECT_EQ(
        verdict("\0\0\0\x54\0\3\0\0user\0shop\0database\0shop\0application_name\0psql\0client_encoding\0UTF8\0\0"sv),
        Sniff::No);
    EXPECT_EQ(sniff("\0\0\0\x0a\0\0\0\1\0\0\0\0\0\0"sv, protocols::Side::Response), Sniff::No);
}

TEST(SharedNames, KeepWhatIsUsedAndForgetWhatIsAmbiguous) {
    SharedNames names;
    names.learn("used", "a");
    names.learn("twice", "b");
    names.learn("twice", "c");
    EXPECT_EQ(names.find("twice"), "");
    for (std::size_t i = 0; i < 3 * SharedNames::kGeneration; ++i) {
        names.learn("other " + std::to_string(i), "x");
        EXPECT_EQ(names.find("used"), "a");
        EXPECT_EQ(names.find("twice"), "") << "it stays ambiguous";
    }
    EXPECT_EQ(names.find("other 0"), "");
}

}  // namespace
}  // namespace waggle::protocols::kafka
