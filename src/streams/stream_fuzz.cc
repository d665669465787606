// SPDX-License-Identifier: Apache-2.0
// Any sequence of calls to a Stream, beside a model that keeps one state per position.
#include <cstdlib>
#include <string>
#include <vector>

#include "streams/stream.h"

namespace {

using waggle::streams::Stream;

constexpr std::size_t kPositions = 8192;
constexpr std::size_t kMaxCalls = 60;  // far from the limits, which the model does not know

void require(bool is_true) {
    if (!is_true) std::abort();
}

class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
    bool is_empty() const { return at_ >= size_; }
    unsigned byte() { return at_ < size_ ? data_[at_++] : 0; }
    std::size_t number() { return byte() << 8 | byte(); }

  private:
    const std::uint8_t* data_;
    std::size_t size_;
    std::size_t at_ = 0;
};

class Model {
  public:
    void append(std::size_t position, std::size_t size, const std::string& bytes) {
        if (!is_started_) head_ = end_ = position;
        is_started_ = true;
        for (std::size_t i = 0; i < size; ++i) {
            const std::size_t at = position + i;
            if (i < bytes.size() && at >= head_ && states_[at] == kHole)
                states_[at] = static_cast<unsigned char>(bytes[i]);
        }
        end_ = std::max(end_, position + size);
    }
    void progress(std::size_t end) {
        if (is_started_) end_ = std::max(end_, end);
    }
    void skip_to(std::size_t position) { head_ = std::max(head_, position); }

    void check(const Stream& stream) const {
        if (!is_started_) return;
        require(stream.head() == head_ && stream.end() == end_ && stream.is_empty() == (end_ <= head_));
        std::size_t at = head_;
        const std::string_view bytes = stream.bytes();
        for (const char c : bytes) require(at < end_ && states_[at++] == static_cast<unsigned char>(c));
        require(at >= end_ || states_[at] == kHole);
        bool is_cut = false;
        for (std::size_t i = head_; i < end_; ++i) is_cut |= states_[i] == kHole;
        require(stream.is_cut() == is_cut);
        const std::size_t hole = stream.hole();
        require((hole > 0) == (head_ < end_ && states_[head_] == kHole));
        for (std::size_t i = 0; i < hole; ++i) require(states_[head_ + i] == kHole);
    }
    std::size_t end() const { return end_; }

  private:
    static constexpr int kHole = -1;
    std::vector<int> states_ = std::vector<int>(2 * kPositions, kHole);
    std::size_t head_ = 0;
    std::size_t end_ = 0;
    bool is_started_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Input input(data, size);
    Stream stream;
    Model model;
    for (std::size_t calls = 0; calls < kMaxCalls && !input.is_empty(); ++calls) {
        const unsigned what = input.byte() % 8;
        if (what < 5) {
            // Mostly where the stream ends, else anywhere.
            const std::size_t position =
                what < 3 && stream.is_started() ? std::min(model.end(), kPositions) : input.number() % kPositions;
            const std::size_t length = input.byte();
            const std::size_t captured = std::min<std::size_t>(length, input.byte());
            std::string bytes(captured, '\0');
            for (char& c : bytes)
                c = static_cast<char>('a' + (calls + static_cast<std::size_t>(&c - bytes.data())) % 26);
            const std::uint64_t now = 1 + calls;
            stream.append({.position = position,
                           .size = length,
                           .bytes = bytes,
                           .first_ns = now,
                           .last_ns = now,
                           .order = input.byte(),
                           .turn = static_cast<std::uint32_t>(calls / 3),
                           .starts_turn = input.byte() % 2 == 0});
            model.append(position, length, bytes);
        } else if (what == 5) {
            const std::size_t end = std::min(model.end() + input.byte(), kPositions);
            stream.progress(end, 1 + calls, 0, input.byte());
            model.progress(end);
        } else if (what == 6) {
            const std::size_t position = stream.head() + input.byte();
            if (position > kPositions || !stream.is_started()) continue;
            stream.skip_to(position);
            model.skip_to(position);
        } else {
            const auto turn = stream.turn_after(stream.head());
            require(stream.skip_to_next_turn() == turn.has_value());
            model.skip_to(turn.value_or(stream.end()));
        }
        model.check(stream);
    }
    return 0;
}
