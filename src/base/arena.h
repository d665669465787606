// SPDX-License-Identifier: Apache-2.0
// Arena: bump storage for the short strings of one batch. Views stay valid while the arena lives,
// also after it was moved; clear() keeps 24 blocks, so a recycled batch allocates nothing.
#pragma once

#include <cstring>
#include <iterator>
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
        std::erase_if(blocks_, [](const Block& block) { return block.size > kBlock; });
        if (blocks_.size() > kKept) blocks_.resize(kKept);
        used_ = 0;
        left_ = 0;
        if (!blocks_.empty()) use_next();
    }

    // Takes over what another arena holds; its views stay valid.
    void take(Arena& from) {
        if (blocks_.empty()) {
            std::swap(*this, from);
            return;
        }
        const auto end = from.blocks_.begin() + static_cast<std::ptrdiff_t>(from.used_);
        blocks_.insert(blocks_.begin(), std::move_iterator(from.blocks_.begin()), std::move_iterator(end));
        used_ += from.used_;
        from.blocks_.erase(from.blocks_.begin(), end);
        // In exchange for one that is free, so that blocks do not pile up at one end.
        if (from.blocks_.empty() && used_ < blocks_.size()) {
            from.blocks_.push_back(std::move(blocks_.back()));
            blocks_.pop_back();
        }
        from.clear();
    }

    // Of the blocks that hold something.
    size_t bytes() const {
        size_t sum = 0;
        for (size_t i = 0; i < used_; ++i) sum += blocks_[i].size;
        return sum;
    }

  private:
    static constexpr size_t kBlock = 64 * 1024;
    static constexpr size_t kKept = 24;

    struct Block {
        std::unique_ptr<char[]> data;
        size_t size = 0;
    };

    void grow(size_t size) {
        if (size > kBlock || used_ == blocks_.size()) {
            const size_t room = size > kBlock ? size : kBlock;
            blocks_.insert(blocks_.begin() + static_cast<std::ptrdiff_t>(used_),
                           {std::make_unique_for_overwrite<char[]>(room), room});
        }
        use_next();
    }

    void use_next() {
        next_ = blocks_[used_].data.get();
        left_ = blocks_[used_].size;
        ++used_;
    }

    std::vector<Block> blocks_;  // the first used_ hold something; the rest are for later
    size_t used_ = 0;
    char* next_ = nullptr;
    size_t left_ = 0;
};

}  // namespace waggle
