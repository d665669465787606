// SPDX-License-Identifier: Apache-2.0
#include "sensors/map.h"

#include <bpf/bpf.h>

#include <cerrno>

namespace waggle::sensors {

int map_update(int fd, const void* key, const void* value) { return bpf_map_update_elem(fd, key, value, BPF_ANY); }

int map_insert(int fd, const void* key, const void* value) { return bpf_map_update_elem(fd, key, value, BPF_NOEXIST); }

int map_replace(int fd, const void* key, const void* value) { return bpf_map_update_elem(fd, key, value, BPF_EXIST); }

int map_delete(int fd, const void* key) { return bpf_map_delete_elem(fd, key); }

int map_lookup(int fd, const void* key, void* value) { return bpf_map_lookup_elem(fd, key, value); }

bool map_next_key(int fd, const void* key, void* next) { return bpf_map_get_next_key(fd, key, next) == 0; }

int map_lookup_batch(int fd, bool is_first, std::uint32_t* cursor, void* keys, void* values, std::uint32_t capacity,
                     bool* is_last) {
    std::uint32_t count = capacity;
    std::uint32_t next = 0;
    const int error = bpf_map_lookup_batch(fd, is_first ? nullptr : cursor, &next, keys, values, &count, nullptr);
    *cursor = next;
    *is_last = error == -ENOENT;
    if (error && error != -ENOENT) {
        *is_last = true;
        return error;
    }
    return static_cast<int>(count);
}

int map_update_batch(int fd, const void* keys, const void* values, std::uint32_t count) {
    DECLARE_LIBBPF_OPTS(bpf_map_batch_opts, options, .elem_flags = BPF_ANY);
    return bpf_map_update_batch(fd, keys, values, &count, &options);
}

}  // namespace waggle::sensors
