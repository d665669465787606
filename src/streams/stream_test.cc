// SPDX-License-Identifier: Apache-2.0
#include "streams/stream.h"

#include <gtest/gtest.h>

namespace waggle::streams {
namespace {

std::uint64_t tail_of(std::string_view text) {
    std::uint64_t tail = 0;
    for (const char c : text) tail = tail >> 8 | std::uint64_t{static_cast<unsigned char>(c)} << 56;
    return tail;
}

// A piece that was captured whole.
Piece piece(std::uint64_t position, std::string_view bytes, std::uint64_t time_ns = 1, std::uint32_t turn = 1) {
    return {.position = position,
            .size = bytes.size(),
            .bytes = bytes,
            .first_ns = time_ns,
            .last_ns = time_ns,
            .order = 0,
            .turn = turn,
            .starts_turn = false};
}

TEST(Stream, BeginsWhereTheFirstPieceStands) {
    Stream stream;
    EXPECT_FALSE(stream.is_started());
    EXPECT_EQ(stream.append(piece(4'294'967'290, "hello")), 0u);
    EXPECT_EQ(stream.head(), 4'294'967'290u);
    EXPECT_EQ(stream.end(), 4'294'967'295u);
    EXPECT_EQ(stream.bytes(), "hello");
}

TEST(Stream, MissesWhatStandsBetweenAKnownBeginningAndTheFirstPiece) {
    Stream stream;
    stream.begin_at(10);
    EXPECT_TRUE(stream.is_started());
    EXPECT_TRUE(stream.is_untouched());
    EXPECT_EQ(stream.append(piece(14, "hello")), 4u);
    EXPECT_FALSE(stream.is_untouched());
    EXPECT_EQ(stream.hole(), 4u);
    stream.begin_at(30);
    EXPECT_EQ(stream.head(), 10u);
    EXPECT_EQ(stream.end(), 19u);
}

TEST(Stream, BeginsNowhereBeyondTheLastPosition) {
    Stream stream;
    stream.begin_at(Stream::kMaxPosition + 1);
    EXPECT_FALSE(stream.is_started());
}

TEST(Stream, JoinsPiecesAndForgetsWhatWasConsumed) {
    Stream stream;
    stream.append(piece(10, "hel"));
    stream.append(piece(13, "lo wor"));
    stream.consume(2);
    stream.append(piece(19, "ld"));
    EXPECT_EQ(stream.bytes(), "llo world");
    stream.consume(9);
    EXPECT_TRUE(stream.is_empty());
    EXPECT_EQ(stream.bytes(), "");
}

TEST(Stream, TellsAGapOfExactLength) {
    Stream stream;
    stream.append(piece(0, "one"));
    EXPECT_EQ(stream.append(piece(10, "two")), 7u);
    EXPECT_EQ(stream.bytes(), "one");
    EXPECT_TRUE(stream.is_cut());
    EXPECT_TRUE(stream.is_gap_at(3));
    EXPECT_TRUE(stream.is_gap_at(9));
    EXPECT_FALSE(stream.is_gap_at(10));
    stream.consume(3);
    EXPECT_EQ(stream.hole(), 7u);
    stream.consume(7);
    EXPECT_EQ(stream.bytes(), "two");
}

TEST(Stream, KnowsWhatWasNotCapturedAsAHole) {
    Stream stream;
    stream.append({.position = 0, .size = 100, .bytes = "front", .first_ns = 5, .last_ns = 6});
    EXPECT_EQ(stream.bytes(), "front");
    EXPECT_EQ(stream.end(), 100u);
    EXPECT_FALSE(stream.is_gap_at(50));
    stream.consume(5);
    EXPECT_EQ(stream.hole(), 95u);
}

TEST(Stream, FillsEveryHoleThatALatePieceCovers) {
    Stream stream;
    stream.append(piece(0, "a"));
    stream.append(piece(3, "d"));
    stream.append(piece(6, "g"));
    EXPECT_EQ(stream.append(piece(1, "bcdef")), 0u);
    EXPECT_EQ(stream.bytes(), "abcdefg");
    EXPECT_FALSE(stream.is_cut());
}

TEST(Stream, FillsTheMiddleOfAHole) {
    Stream stream;
    stream.append(piece(0, "a"));
    stream.append(piece(9, "z", 9));
    stream.append(piece(4, "mm", 4));
    EXPECT_EQ(stream.bytes(), "a");
    stream.consume(1);
    EXPECT_EQ(stream.hole(), 3u);
    stream.consume(3);
    EXPECT_EQ(stream.bytes(), "mm");
    EXPECT_EQ(stream.time_before(6), 4u);
    stream.consume(2);
    EXPECT_EQ(stream.hole(), 3u);
}

TEST(Stream, CutsOffWhatItHasAlready) {
    Stream stream;
    stream.append(piece(0, "hello"));
    stream.append(piece(3, "XXworld"));
    EXPECT_EQ(stream.bytes(), "helloworld");
    stream.append(piece(0, "hello"));
    EXPECT_EQ(stream.bytes(), "helloworld");
}

TEST(Stream, DropsWhatArrivesBeforeItsHead) {
    Stream stream;
    stream.append(piece(0, "x"));
    stream.skip_to(10);
    stream.append(piece(1, "0123456789abc"));
    EXPECT_EQ(stream.bytes(), "9abc");
}

TEST(Stream, ProgressIsAHoleWithATail) {
    Stream stream;
    stream.append(piece(0, "head", 1));
    stream.progress(1000, 7, tail_of("0\r\n\r\n"), 1);
    EXPECT_EQ(stream.end(), 1000u);
    EXPECT_EQ(stream.end_ns(), 7u);
    EXPECT_EQ(stream.tail(), tail_of("0\r\n\r\n"));
    EXPECT_FALSE(stream.is_gap_at(500));
    EXPECT_EQ(stream.time_before(1000), 7u);
}

TEST(Stream, ProgressBackwardsIsNone) {
    Stream stream;
    stream.progress(50, 1, 0, 1);
    EXPECT_FALSE(stream.is_started());
    stream.append(piece(100, "abc"));
    stream.progress(101, 9, 0, 1);
    EXPECT_EQ(stream.end(), 103u);
    EXPECT_EQ(stream.end_ns(), 1u);
}

TEST(Stream, ProgressOfATurnThatWasNeverSeenIsAGap) {
    Stream stream;
    stream.append(piece(0, "one", 1, 1));
    stream.progress(100, 5, 0, 2);
    EXPECT_TRUE(stream.is_gap_at(50));
    EXPECT_EQ(stream.turn_after(0), 3u);
}

TEST(Stream, AShortTailHasTheBytesBefore) {
    Stream stream;
    stream.append(piece(0, "....\r\n"));
    stream.append(piece(6, "0\r\n"));
    stream.append(piece(9, "\r\n"));
    EXPECT_EQ(stream.tail(), tail_of(".\r\n0\r\n\r\n"));
    stream.progress(11 + 3, 1, tail_of("abc"), 1);
    EXPECT_EQ(stream.tail(), tail_of("0\r\n\r\nabc"));
    stream.append(piece(20, "z"));
    EXPECT_EQ(stream.tail(), tail_of("z"));
}

TEST(Stream, FindsTurnsAndOrders) {
    Stream stream;
    Piece first = piece(0, "one", 1, 1);
    first.starts_turn = true;
    first.order = 10;
    Piece second = piece(3, "two", 2, 2);
    second.starts_turn = true;
    second.order = 20;
    stream.append(first);
    stream.append(second);
    EXPECT_TRUE(stream.is_at_turn_start());
    EXPECT_EQ(stream.turn_after(0), 3u);
    EXPECT_EQ(stream.turn_after(3), std::nullopt);
    EXPECT_EQ(stream.position_after_order(10), 3u);
    EXPECT_EQ(stream.position_after_order(20), std::nullopt);
    stream.consume(1);
    EXPECT_FALSE(stream.is_at_turn_start());
    EXPECT_TRUE(stream.skip_to_next_turn());
    EXPECT_EQ(stream.turn(), 2u);
    EXPECT_EQ(stream.turn_before(), 1u);
    EXPECT_FALSE(stream.skip_to_next_turn());
    EXPECT_TRUE(stream.is_empty());
}

TEST(Stream, AMissingTurnBeginsInItsGap) {
    Stream stream;
    stream.append(piece(0, "one", 1, 1));
    stream.append(piece(10, "rest of two", 2, 2));
    EXPECT_EQ(stream.turn_after(0), 3u);
    EXPECT_EQ(stream.position_after_order(0), std::nullopt);
}

TEST(Stream, TimesOfAGapAreThoseBefore) {
    Stream stream;
    stream.append(piece(0, "one", 5));
    stream.append(piece(10, "two", 50));
    EXPECT_EQ(stream.time_before(3), 5u);
    EXPECT_EQ(stream.time_before(10), 5u);
    EXPECT_EQ(stream.time_before(11), 50u);
    stream.consume(8);
    EXPECT_EQ(stream.time_before(10), 5u);
}

TEST(Stream, HoldsAMessageThatIsReadByteByByte) {
    Stream stream;
    std::string text(5000, 'x');
    for (std::size_t i = 0; i < text.size(); ++i) stream.append(piece(i, std::string_view(text).substr(i, 1), i + 1));
    EXPECT_EQ(stream.bytes(), text);
    EXPECT_EQ(stream.first_ns(), 1u);
    EXPECT_EQ(stream.time_before(5000), 5000u);
}

TEST(Stream, StaysBoundedWhenNobodyConsumes) {
    Stream stream;
    const std::string text(16384, 'x');
    std::uint64_t position = 0;
    for (int i = 0; i < 100; ++i, position += text.size()) stream.append(piece(position, text, 1, 1));
    EXPECT_EQ(stream.end(), position);
    EXPECT_GT(stream.hole(), 0u);
    stream.skip_to(position - text.size());
    EXPECT_EQ(stream.bytes(), text);
}

TEST(Stream, StaysBoundedWhenHolesAreFilledOneAfterTheOther) {
    Stream stream;
    const std::string text(16384, 'x');
    stream.append(piece(0, "a"));
    stream.append(piece(10'000'000, "z"));
    for (std::uint64_t position = 1; position < 9'000'000; position += 20000) stream.append(piece(position, text));
    std::uint64_t held = 0;
    while (!stream.is_empty()) {
        held += stream.bytes().size();
        stream.consume(std::max<std::uint64_t>(stream.bytes().size() + stream.hole(), 1));
    }
    EXPECT_LE(held, Stream::kMaxBuffered);
}

TEST(Stream, IgnoresPositionsBeyondAllReason) {
    Stream stream;
    EXPECT_EQ(stream.append(piece(~0ull - 1, "abcd")), 0u);
    EXPECT_FALSE(stream.is_started());
    stream.append(piece(0, "abc"));
    stream.progress(~0ull, 1, 0, 1);
    EXPECT_EQ(stream.end(), 3u);
}

}  // namespace
}  // namespace waggle::streams
