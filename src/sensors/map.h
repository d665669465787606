// SPDX-License-Identifier: Apache-2.0
// Map<Key, Value>: a typed handle of a BPF map. Borrowed from the object that owns it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"

namespace waggle::sensors {

// Untyped calls (bpf(2)); they return 0 or a negative errno value.
int map_update(int fd, const void* key, const void* value);
int map_insert(int fd, const void* key, const void* value);   // -EEXIST where there is one
int map_replace(int fd, const void* key, const void* value);  // -ENOENT where there is none
int map_delete(int fd, const void* key);
int map_lookup(int fd, const void* key, void* value);
// Up to capacity entries from *cursor on (4 bytes of kernel cursor; first call: is_first). Returns how
// many were read; *is_last tells that the map ended.
int map_lookup_batch(int fd, bool is_first, std::uint32_t* cursor, void* keys, void* values, std::uint32_t capacity,
                     bool* is_last);
int map_update_batch(int fd, const void* keys, const void* values, std::uint32_t count);

// The key after `key`, or the first one (null); false at the end.
bool map_next_key(int fd, const void* key, void* next);

// All keys; some come twice when others are deleted meanwhile.
template <typename Key>
std::vector<Key> map_keys(int fd) {
    std::vector<Key> keys;
    for (Key key{}; map_next_key(fd, keys.empty() ? nullptr : &keys.back(), &key); keys.push_back(key))
        if (keys.size() > 1u << 20) break;
    return keys;
}

template <typename Key, typename Value>
class Map {
  public:
    Map() = default;
    explicit Map(int fd) : fd_(fd) {}

    bool is_valid() const { return fd_ >= 0; }
    bool set(const Key& key, const Value& value) { return map_update(fd_, &key, &value) == 0; }
    bool remove(const Key& key) { return map_delete(fd_, &key) == 0; }
    bool get(const Key& key, Value& value) const { return map_lookup(fd_, &key, &value) == 0; }

    // The first entries of the vectors become the map's, bounded by limit; returns how many. The vectors
    // only grow: filling them anew would cost more than the call.
    std::size_t read_all(std::vector<Key>& keys, std::vector<Value>& values, std::uint32_t limit) const {
        constexpr std::uint32_t kChunk = 1024;
        std::size_t count = 0;
        std::uint32_t cursor = 0;
        bool is_last = false;
        for (bool is_first = true; !is_last && count < limit; is_first = false) {
            if (keys.size() < count + kChunk) {
                keys.resize(count + kChunk);
                values.resize(count + kChunk);
            }
            const int got = map_lookup_batch(fd_, is_first, &cursor, &keys[count], &values[count], kChunk, &is_last);
            if (got < 0) break;
            count += static_cast<std::size_t>(got);
        }
        return count;
    }
    bool set_all(std::span<const Key> keys, std::span<const Value> values) {
        return keys.empty() ||
               map_update_batch(fd_, keys.data(), values.data(), static_cast<std::uint32_t>(keys.size())) == 0;
    }

  private:
    int fd_ = -1;
};

}  // namespace waggle::sensors
