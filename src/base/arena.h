// SPDX-License-Identifier: Apache-2.0
// Arena: bump storage for the short strings of one batch. Views stay valid while the arena lives,
// also after it was moved; clear() keeps the first block, so a recycled batch allocates nothing.
#pragma once

#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace waggle {

class Arena {
  public:
    std::string_view copy(std::string_view text) {
        if (text.empty()) return {};
        char* to = allocate(text.size());
        std::memcpy(to, text.data(), text.size());
        return {to, text.size()};
    }

    // Uninitialised bytes, alignment 1.
    char* allocate(size_t size) {
        if (size > left_) grow(size);
        char* to = next_;
        next_ += size;
        left_ -= size;
        return to;
    }

    void clear() {
        if (blocks_.empty()) return;
        if (blocks_.size() > 1) blocks_.resize(1);
        next_ = blocks_[0].get();
        left_ = first_size_;
        size_ = first_size_;
    }

    // Takes over what another arena holds; its views stay valid.
    void take(Arena& from) {
        if (blocks_.empty()) {
            std::swap(*this, from);
            return;
        }
        for (auto& block : from.blocks_) blocks_.push_back(std::move(block));
        size_ += from.size_;
        from = Arena{};
    }

    size_t bytes() const { return size_; }

  private:
    static constexpr size_t kBlock = 64 * 1024;

    void grow(size_t size) {
        const size_t block = size > kBlock ? size : kBlock;
        blocks_.push_back(std::make_unique_for_overwrite<char[]>(block));
        if (blocks_.size() == 1) first_size_ = block;
        next_ = blocks_.back().get();
        left_ = block;
        size_ += block;
    }

    std::vector<std::unique_ptr<char[]>> blocks_;
    char* next_ = nullptr;
    size_t left_ = 0;
    size_t first_size_ = 0;
    size_t size_ = 0;
};

}  // namespace waggle
