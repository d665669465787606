// SPDX-License-Identifier: Apache-2.0
// Held: values by key, for a time, and no more than so many were added meanwhile: the oldest go first. A ring of slots
// in the order they came, chained by the hash of their keys: once it has grown to what comes in that time, nothing is
// allocated.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace waggle::protocols {

// Hash: mixes all bits of a key into 64.
template <typename Key, typename Value, typename Hash>
class Held {
  public:
    // max: a power of two, else the next one below.
    Held(std::uint64_t hold_ns, std::size_t max) : hold_ns_(hold_ns), max_(std::bit_floor(max)) {}

    const Value* find(const Key& key) const {
        const std::uint32_t at = index_of(key);
        return at == kNone ? nullptr : &slots_[at].value;
    }
    // Replaces what the key had.
    void add(const Key& key, const Value& value, std::uint64_t now_ns) {
        erase(key);
        if (count_ == max_) drop_oldest();
        if (count_ == slots_.size()) grow();
        const auto at = static_cast<std::uint32_t>((first_ + count_++) & (slots_.size() - 1));
        slots_[at] = {key, value, now_ns, kNone, true};
        link(at);
        ++size_;
    }
    void erase(const Key& key) {
        const std::uint32_t at = index_of(key);
        if (at != kNone) unlink(at);
    }
    void expire(std::uint64_t now_ns) {
        while (count_ > 0 && (!slots_[first_].is_linked || slots_[first_].since_ns + hold_ns_ < now_ns)) drop_oldest();
    }
    std::size_t size() const { return size_; }
    // Those that are still held from `cursor` on, in the order they came, as long as goes_on(key, since_ns); the cursor
    // ends at the one where it did not. It begins at 0.
    template <typename GoesOn>
    void visit(std::uint64_t& cursor, GoesOn goes_on) const {
        for (cursor = std::max(cursor, dropped_); cursor < dropped_ + count_; ++cursor) {
            const Slot& slot = slots_[(first_ + (cursor - dropped_)) & (slots_.size() - 1)];
            if (slot.is_linked && !goes_on(slot.key, slot.since_ns)) return;
        }
    }

  private:
    static constexpr std::uint32_t kNone = UINT32_MAX;
    struct Slot {
        Key key;
        Value value;
        std::uint64_t since_ns = 0;
        std::uint32_t next = kNone;
        bool is_linked = false;
    };

    std::uint32_t& chain(const Key& key) { return chains_[Hash{}(key) & (chains_.size() - 1)]; }
    std::uint32_t index_of(const Key& key) const {
        if (chains_.empty()) return kNone;
        std::uint32_t at = chains_[Hash{}(key) & (chains_.size() - 1)];
        while (at != kNone && !(slots_[at].key == key)) at = slots_[at].next;
        return at;
    }
    void link(std::uint32_t at) {
        std::uint32_t& head = chain(slots_[at].key);
        slots_[at].next = head;
        head = at;
    }
    void unlink(std::uint32_t at) {
        std::uint32_t* link = &chain(slots_[at].key);
        while (*link != at) link = &slots_[*link].next;
        *link = slots_[at].next;
        slots_[at].is_linked = false;
        --size_;
    }
    void drop_oldest() {
        if (slots_[first_].is_linked) unlink(static_cast<std::uint32_t>(first_));
        first_ = (first_ + 1) & (slots_.size() - 1);
        --count_;
        ++dropped_;
    }
    void grow() {
        std::rotate(slots_.begin(), slots_.begin() + static_cast<std::ptrdiff_t>(first_), slots_.end());
        first_ = 0;
        slots_.resize(std::min(max_, std::max<std::size_t>(64, 2 * slots_.size())));
        chains_.assign(slots_.size(), kNone);
        for (std::uint32_t i = 0; i < count_; ++i)
            if (slots_[i].is_linked) link(i);
    }

    std::uint64_t hold_ns_;
    std::size_t max_;
    std::vector<Slot> slots_;  // as many as a power of two
    std::vector<std::uint32_t> chains_;
    std::size_t first_ = 0;
    std::size_t count_ = 0;  // those that were erased included
    std::size_t size_ = 0;
    std::uint64_t dropped_ = 0;
};

}  // namespace waggle::protocols
