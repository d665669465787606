// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// TLS sites: what a place in a TLS library's code means, as the probe's cookie says it.
#pragma once

#include "bpf/abi/types.h"

// Arguments, in order: session, buffer, size, and for the _EX forms where the number of bytes goes.
enum wg_tls_site : __u64 {
    WG_TLS_READ = 1,
    WG_TLS_WRITE = 2,
    WG_TLS_READ_EX = 3,
    WG_TLS_WRITE_EX = 4,
    // Of any of the four, of SEND_FILE and WRITE_FLAGS, with the result: bytes or below 1; of the _EX forms and
    // WRITE_FLAGS 1 or 0.
    WG_TLS_LEAVE = 5,
    WG_TLS_NEW = 6,    // a session was made: the result
    WG_TLS_FREE = 7,   // session
    WG_TLS_BEGIN = 8,  // session: no bytes have gone by, unless it is known already
    // Go's crypto/tls, by its own calling convention.
    WG_TLS_GO_READ = 9,
    WG_TLS_GO_WRITE = 10,
    WG_TLS_GO_HANDSHAKE = 11,  // session
    WG_TLS_GO_LEAVE = 12,      // of any of the three
    WG_TLS_GO_FREE = 13,       // session
    // rustls; a session is its rustls::CommonState, which is moved in memory.
    WG_TLS_RUST_TAKE = 14,    // session, and a vector with the plaintext of one record
    WG_TLS_RUST_WRITE = 15,   // session, and one buffer or a list of them
    WG_TLS_RUST_FREE = 16,    // session
    WG_TLS_SEND_FILE = 17,    // session: bytes of a file, which the kernel encrypts
    WG_TLS_WRITE_FLAGS = 18,  // as WRITE_EX, or (OpenSSL 3.3 and later) with flags before the last argument
    // Or'ed to any: the function was found by its code. What it gives is told as of WG_SOURCE_FOUND_TLS.
    WG_TLS_FOUND = 0x80,
};

// The probe's cookie: the site, above it how far the stack pointer stands there below where it was at the call (32
// bits), and of a probe in every process that maps the file, that file's number; 0: the probe is in one process.
enum { WG_TLS_DEPTH_SHIFT = 8, WG_TLS_FILE_SHIFT = 40, WG_TLS_MAX_FILES = 1024 };

// Where the plaintext streams of a session stand, in a map by this key.
struct wg_tls_key {
    __u64 session;
    __u32 kernel_tgid;
    __u32 padding;
};

// Where the calls of a goroutine stand, in a map by this key.
struct wg_go_key {
    __u64 goroutine;
    __u32 kernel_tgid;
    __u32 padding;
};
