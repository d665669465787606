// SPDX-License-Identifier: Apache-2.0
// Frames (bpf/lib/frames.h) as the kernel side follows them, over user memory in one piece or in many: what is copied
// of random calls is what the tracker's tests take for given (protocols/testing/fronts.h), byte for byte.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <random>

#include "protocols/testing/fronts.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wpedantic"
// After all headers of the host: it has macros of its own.
#define WG_PLAIN  // the buffers of a call are known here, not to be found by its registers
#include "bpf/lib/iov.h"
#include "bpf/lib/scratch.h"
#undef WG_PLAIN
#include "bpf/lib/frames.h"
#pragma GCC diagnostic pop

namespace waggle::protocols::testing {
namespace {

// Headers of nine, five and four bytes; the last prove nothing themselves.
constexpr wg_framing kTyped{.header = 9,
                            .length_at = 0,
                            .length_bytes = 3,
                            .is_little = 0,
                            .type_at = 3,
                            .types = 10,
                            .front = 512,
                            .length_adds = 9,
                            .whole_types = ~1u,
                            .max_length = 1 << 20};
constexpr wg_framing kWeak{.header = 4,
                           .length_at = 0,
                           .length_bytes = 4,
                           .is_little = 1,
                           .type_at = 0,
                           .types = 0,
                           .front = 200,
                           .length_adds = 4,
                           .whole_types = 0,
                           .max_length = 1 << 20};

std::string frame(const wg_framing& framing, std::uint32_t size, unsigned type) {
    std::string text(framing.header, '\0');
    for (unsigned i = 0; i < framing.length_bytes; ++i)
        text[i] = static_cast<char>(size >> 8 * (framing.is_little ? i : framing.length_bytes - 1u - i));
    if (framing.types) text[framing.type_at] = static_cast<char>(type);
    for (std::uint32_t i = 0; i < size; ++i) text += static_cast<char>('a' + i % 26);
    return text;
}

struct Told {
    std::uint64_t position = 0;
    std::uint64_t size = 0;
    std::string bytes;
    bool starts_turn = false;
    std::string tail;  // the last bytes of the call, at the end of what was not copied
    friend bool operator==(const Told&, const Told&) = default;
};

// A direction of a connection at the kernel side.
class Kernel {
  public:
    explicit Kernel(const wg_framing& framing) : framing_(framing) {
        connection_.rule[WG_SEND].framing = 0;
        native = {};
        native.maps[&scratch] = [this](u32) { return scratch_.get(); };
        native.maps[&framings] = [this](u32) { return &framing_; };
        native.maps[&frames_of_sockets] = [this](u32) { return &frames_; };
    }

    // A call whose bytes stand in pieces of random sizes up to `most`; 0: in one. As wg_report (report.h) tells it.
    std::vector<Told> call(const std::string& bytes, std::uint64_t position, bool is_new_turn, std::size_t most,
                           std::mt19937_64& random) {
        native.records.clear();
        wg_scratch& s = *scratch_;
        u64 wanted = 0;
        wg_frames* const frames = wg_follow_frames(nullptr, WG_SEND, position, bytes.size(), is_new_turn, &wanted);
        if (!wanted && !is_new_turn) {  // an event of it would have nothing
            frames->left -= bytes.size();
            frames->position += bytes.size();
            return {};
        }
        lay_out(bytes, most, random);
        s.event = {};
        s.event.direction = WG_SEND;
        s.event.position = position;
        s.event.size = static_cast<u32>(bytes.size());
        if (is_new_turn) s.event.flags = WG_DATA_TURN_START;
        s.captured = wg_copy_text(0, wanted);
        EXPECT_EQ(s.captured, wanted);
        wg_report_frames(&connection_, frames, 0);
        std::vector<Told> told;
        for (const std::string& record : native.records) {
            wg_data_event event;
            std::memcpy(&event, record.data(), sizeof(event));
            EXPECT_EQ(record.size(), sizeof(event) + event.captured);
            EXPECT_EQ(event.head.length, record.size());
            const auto* const tail = reinterpret_cast<const char*>(event.tail);
            told.push_back({event.position, event.size, record.substr(sizeof(event)),
                            (event.flags & WG_DATA_TURN_START) != 0,
                            event.flags & WG_DATA_TAIL ? std::string(tail, 8) : ""});
        }
        return told;
    }

    std::optional<std::size_t> unreadable_at;  // of a call in one piece
    const wg_frames& frames() const { return frames_.by_direction[WG_SEND]; }

  private:
    // Each piece stands for itself, so that reads beyond one are noticed.
    void lay_out(const std::string& bytes, std::size_t most, std::mt19937_64& random) {
        pieces_.clear();
        vectors_.clear();
        for (std::size_t at = 0; at < bytes.size();) {
            const std::size_t size = most ? std::min(1 + random() % most, bytes.size() - at) : bytes.size();
            auto& piece = pieces_.emplace_back(std::make_unique<char[]>(size));
            std::copy_n(bytes.data() + at, size, piece.get());
            vectors_.push_back({reinterpret_cast<u64>(piece.get()), size});
            at += size;
        }
        if (unreadable_at) native.unreadable = pieces_[0].get() + *unreadable_at;
        wg_text& text = scratch_->text;
        text = {};
        wg_text_vectors(&text, reinterpret_cast<u64>(vectors_.data()), pieces_.size());
    }

    wg_framing framing_;
    wg_conn connection_{};
    wg_frames_of_socket frames_{};
    std::unique_ptr<wg_scratch> scratch_ = std::make_unique<wg_scratch>();
    std::vector<std::unique_ptr<char[]>> pieces_;
    std::vector<wg_vector> vectors_;
};

std::vector<Told> as_taken_for_given(const wg_framing& framing, wg_frames& frames, const std::string& bytes,
                                     std::uint64_t position, bool is_new_turn) {
    const bool is_inside = frames.is_followed && frames.position == position && !frames.have && !frames.wanted &&
                           frames.left >= bytes.size();
    if (is_inside && !is_new_turn) {
        frames.left -= bytes.size();
        frames.position += bytes.size();
        return {};
    }
    std::vector<Told> told;
    for (const Front& front : follow_frames(framing, frames, position, is_new_turn, bytes))
        told.push_back({position + front.from, front.end - front.from,
                        bytes.substr(front.from, front.until - front.from), is_new_turn && told.empty(), ""});
    const Told& last = told.back();
    if (last.bytes.size() < last.size) {
        std::string tail = bytes.substr(bytes.size() - std::min<std::size_t>(8, bytes.size()));
        told.back().tail = std::string(8 - tail.size(), '\0') + tail;
    }
    return told;
}

// Frames of all sizes in calls that end anywhere; some calls nobody reports, some begin a turn.
void follow(const wg_framing& framing, std::size_t most_piece, std::size_t most_call, unsigned seeds) {
    for (unsigned seed = 1; seed <= seeds; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        std::mt19937_64 random(seed);
        std::string stream;
        while (stream.size() < 60 * most_call / 10 + 100'000) {
            const std::uint64_t kind = random() % 10;
            const std::uint64_t size = kind == 0 ? random() % 40'000 : kind < 4 ? random() % 1000 : random() % 40;
            stream += frame(framing, static_cast<std::uint32_t>(size), static_cast<unsigned>(random() % 10));
        }
        Kernel kernel(framing);
        wg_frames frames{};
        std::uint64_t copied = 0;
        for (std::size_t at = 0; at < stream.size();) {
            const std::string bytes = stream.substr(at, 1 + random() % most_call);
            const std::uint64_t position = (1ull << 32) + at;
            at += bytes.size();
            const bool is_new_turn = position == 1ull << 32 || random() % 20 == 0;
            if (random() % 50 == 0) continue;
            const auto told = kernel.call(bytes, position, is_new_turn, most_piece, random);
            ASSERT_EQ(told, as_taken_for_given(framing, frames, bytes, position, is_new_turn)) << "at " << position;
            ASSERT_EQ(kernel.frames().is_followed, frames.is_followed);
            ASSERT_EQ(kernel.frames().left, frames.left);
            for (const Told& one : told) copied += one.bytes.size();
        }
        EXPECT_EQ(native.counters[WG_COUNT_READ_FAILED], 0u);
        EXPECT_LT(copied, stream.size());
    }
}

TEST(Frames, InOneBuffer) {
    follow(kTyped, 0, 30'000, 40);
    follow(kWeak, 0, 30'000, 40);
}
TEST(Frames, InOneBufferOfFewBytes) {
    follow(kTyped, 0, 40, 5);
    follow(kWeak, 0, 40, 5);
}
// Headers stand in two pieces, or in more; what was read ahead is read anew from the vectors before.
TEST(Frames, InPieces) {
    follow(kTyped, 5, 200, 10);
    follow(kWeak, 5, 200, 10);
    follow(kTyped, 3000, 60'000, 40);
    follow(kWeak, 3000, 60'000, 40);
}

// As many small ones as make sure that they are frames.
std::string small_ones(const wg_framing& framing) {
    std::string bytes;
    for (wg_frames frames{}; !wg_frames_are_sure(&frames, &framing); ++frames.headers) bytes += frame(framing, 4, 1);
    return bytes;
}

// What stands inside a frame may look like one, of any length: bytes are copied until it is sure, and the next turn
// tells that it was none.
TEST(Frames, WhatMayBeNoneIsCopied) {
    std::mt19937_64 random(1);
    Kernel kernel(kTyped);
    const std::string lure = frame(kTyped, 500'000, 0).substr(0, 2000);
    for (int i = 0; i < 2; ++i) {
        const auto told = kernel.call(lure, static_cast<std::uint64_t>(i) * lure.size(), false, 0, random);
        ASSERT_EQ(told.size(), 1u);
        EXPECT_EQ(told[0].bytes, lure);
    }
    const std::string front = small_ones(kTyped) + frame(kTyped, 20'000, 0).substr(0, 9 + 512);
    const auto told = kernel.call(small_ones(kTyped) + frame(kTyped, 20'000, 0), 2 * lure.size(), true, 0, random);
    ASSERT_EQ(told.size(), 1u);
    EXPECT_EQ(told[0].bytes, front);
}

// Who sends many requests at once begins turns in the midst of what it receives.
TEST(Frames, SureOnesGoOnWhereATurnBegins) {
    for (const wg_framing& framing : {kTyped, kWeak}) {
        std::mt19937_64 random(1);
        Kernel kernel(framing);
        const std::string bytes = small_ones(framing) + frame(framing, 20'000, 0);
        const std::string first = bytes.substr(0, bytes.size() - 8000);
        static_cast<void>(kernel.call(first, 0, true, 0, random));
        const auto told = kernel.call(bytes.substr(first.size()), first.size(), true, 0, random);
        ASSERT_EQ(told.size(), 1u);
        EXPECT_EQ(told[0].bytes, "");
        EXPECT_EQ(kernel.frames().left, 0u);
        const auto next = kernel.call(frame(framing, 40, 1), bytes.size(), false, 0, random);
        ASSERT_EQ(next.size(), 1u);
        EXPECT_EQ(next[0].bytes, frame(framing, 40, 1));
    }
}

// Many small ones in one call are followed to a limit; what stands behind is copied as it is, and a frame begins with
// the next call.
TEST(Frames, MoreThanAreFollowed) {
    std::mt19937_64 random(1);
    std::string bytes;
    for (int i = 0; i < WG_FRAME_STEPS + 100; ++i) bytes += frame(kTyped, 4, 1);
    Kernel kernel(kTyped);
    std::string copied;
    for (const Told& one : kernel.call(bytes, 0, true, 0, random)) copied += one.bytes;
    EXPECT_EQ(copied, bytes);
    EXPECT_FALSE(kernel.frames().is_followed);
    const auto next = kernel.call(small_ones(kTyped) + frame(kTyped, 20'000, 0), bytes.size(), false, 0, random);
    ASSERT_EQ(next.size(), 1u);
    EXPECT_EQ(next[0].bytes.size(), small_ones(kTyped).size() + 9 + 512);
    EXPECT_TRUE(kernel.frames().is_followed);
}

// Memory that cannot be read where a front stands: what is known of it is told, and the failure counted.
TEST(Frames, UnreadableMemory) {
    std::mt19937_64 random(1);
    Kernel kernel(kTyped);
    const std::string before = small_ones(kTyped);
    static_cast<void>(kernel.call(before, 0, true, 0, random));
    const std::string bytes = frame(kTyped, 20'000, 0) + frame(kTyped, 100, 1);
    kernel.unreadable_at = bytes.size() - 50;
    const auto told = kernel.call(bytes, before.size(), true, 0, random);
    ASSERT_EQ(told.size(), 2u);
    EXPECT_EQ(told[0].bytes, bytes.substr(0, 9 + 512));
    EXPECT_EQ(told[1].size, 109u);
    EXPECT_EQ(told[1].bytes, "");
    EXPECT_EQ(native.counters[WG_COUNT_READ_FAILED], 1u);
    // A header: no frame is known from there on.
    kernel.unreadable_at = 20'012;
    static_cast<void>(kernel.call(bytes, before.size() + bytes.size(), true, 0, random));
    EXPECT_FALSE(kernel.frames().is_followed);
}

}  // namespace
}  // namespace waggle::protocols::testing
