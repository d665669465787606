// SPDX-License-Identifier: Apache-2.0
// The ways to move bytes on a stream socket.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct way {
    const char* name;
    // Bytes moved, 0 at the end of the stream, -1 with errno. is_body: what moves is no head.
    ssize_t (*move)(int fd, char* bytes, size_t size, bool is_body);
    bool is_body_only;
};

// NULL when there is none of that name.
const struct way* find_way(const char* name);
