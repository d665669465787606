// SPDX-License-Identifier: Apache-2.0
#include "sensors/tls_library.h"

#include <array>

namespace waggle::sensors {
namespace {

// Those for early data (0-RTT) go on to the _ex forms. From 3.2 on SSL_new leaves by a jump through a pointer, so that
// its result cannot be seen: then a session begins with what every program calls before its handshake.
constexpr std::array<TlsFunction, 11> kOpenssl = {{
    {.symbol = "SSL_read", .site = WG_TLS_READ},
    {.symbol = "SSL_write", .site = WG_TLS_WRITE},
    {.symbol = "SSL_read_ex", .site = WG_TLS_READ_EX, .is_optional = true},     // 1.1.1
    {.symbol = "SSL_write_ex", .site = WG_TLS_WRITE_EX, .is_optional = true},   // 1.1.1
    {.symbol = "SSL_sendfile", .site = WG_TLS_SEND_FILE, .is_optional = true},  // 3.0
    {.symbol = "SSL_new", .site = WG_TLS_NEW, .is_result = true, .is_optional = true},
    {.symbol = "SSL_connect", .site = WG_TLS_BEGIN, .is_optional = true, .is_fallback = true},
    {.symbol = "SSL_accept", .site = WG_TLS_BEGIN, .is_optional = true, .is_fallback = true},
    {.symbol = "SSL_set_connect_state", .site = WG_TLS_BEGIN, .is_optional = true, .is_fallback = true},
    {.symbol = "SSL_set_accept_state", .site = WG_TLS_BEGIN, .is_optional = true, .is_fallback = true},
    {.symbol = "SSL_free", .site = WG_TLS_FREE, .is_optional = true},
}};

// The _ex forms have no name of their own there. Where the compiler has taken in what they call they are not found, and
// the two first ones are read.
constexpr std::array<TlsFunction, 7> kOpensslOwn = {{
    {.symbol = "SSL_read", .site = WG_TLS_READ},
    {.symbol = "SSL_write", .site = WG_TLS_WRITE},
    {.symbol = ">ssl_read_internal", .site = WG_TLS_READ_EX, .is_optional = true},
    {.symbol = ">ssl_write_internal", .site = WG_TLS_WRITE_FLAGS, .is_optional = true},
    {.symbol = "SSL_sendfile", .site = WG_TLS_SEND_FILE, .is_optional = true},
    {.symbol = "SSL_new", .site = WG_TLS_NEW, .is_result = true, .is_optional = true},                      // to 3.1
    {.symbol = "ossl_ssl_connection_new_int", .site = WG_TLS_NEW, .is_result = true, .is_optional = true},  // 3.2
}};

// Numbers of SSL_read, SSL_write, ssl_read_internal, ssl_write_internal and SSL_new, as <openssl/sslerr.h> has them;
// those of the internal ones are told by their callers, the _ex forms.
constexpr std::array<TlsFunction, 5> kOpenssl11Own = {{
    {.symbol = "#223", .site = WG_TLS_READ},
    {.symbol = "#208", .site = WG_TLS_WRITE},
    {.symbol = ">#523", .site = WG_TLS_READ_EX, .is_optional = true},
    {.symbol = ">#524", .site = WG_TLS_WRITE_EX, .is_optional = true},
    {.symbol = "#186", .site = WG_TLS_NEW, .is_result = true, .is_optional = true},
}};

// As elf/boringssl.h calls what it finds.
constexpr std::array<TlsFunction, 3> kBoringsslOwn = {{
    {.symbol = "SSL_read", .site = WG_TLS_READ},
    {.symbol = "SSL_write", .site = WG_TLS_WRITE},
    {.symbol = "SSL_new", .site = WG_TLS_NEW, .is_result = true, .is_optional = true},
}};

// gnutls_record_send goes on to the other one.
constexpr std::array<TlsFunction, 5> kGnutls = {{
    {.symbol = "gnutls_record_recv", .site = WG_TLS_READ},
    {.symbol = "gnutls_record_send2", .site = WG_TLS_WRITE},
    {.symbol = "gnutls_record_recv_seq", .site = WG_TLS_READ, .is_optional = true},
    {.symbol = "gnutls_handshake", .site = WG_TLS_BEGIN, .is_optional = true},
    {.symbol = "gnutls_deinit", .site = WG_TLS_FREE, .is_optional = true},
}};

// A handshake may take several calls, and may be left to the first reading or writing.
constexpr std::array<TlsFunction, 5> kMbedtls = {{
    {.symbol = "mbedtls_ssl_read", .site = WG_TLS_READ},
    {.symbol = "mbedtls_ssl_write", .site = WG_TLS_WRITE},
    {.symbol = "mbedtls_ssl_handshake", .site = WG_TLS_BEGIN, .is_optional = true},
    {.symbol = "mbedtls_ssl_session_reset", .site = WG_TLS_FREE, .is_optional = true},
    {.symbol = "mbedtls_ssl_free", .site = WG_TLS_FREE, .is_optional = true},
}};

// wolfSSL_send, wolfSSL_recv and wolfSSL_writev go on to these.
constexpr std::array<TlsFunction, 6> kWolfssl = {{
    {.symbol = "wolfSSL_read", .site = WG_TLS_READ},
    {.symbol = "wolfSSL_write", .site = WG_TLS_WRITE},
    {.symbol = "wolfSSL_new", .site = WG_TLS_NEW, .is_result = true, .is_optional = true},
    {.symbol = "wolfSSL_connect", .site = WG_TLS_BEGIN, .is_optional = true, .is_fallback = true},
    {.symbol = "wolfSSL_accept", .site = WG_TLS_BEGIN, .is_optional = true, .is_fallback = true},
    {.symbol = "wolfSSL_free", .site = WG_TLS_FREE, .is_optional = true},
}};

// All that a program reads or writes, through buffers or as HTTP/2, comes through these two. A handshake tells the
// socket and that the session is new, whether its memory was another one's or not.
constexpr std::array<TlsFunction, 5> kGo = {{
    {.symbol = "crypto/tls.(*Conn).Read", .site = WG_TLS_GO_READ},
    {.symbol = "crypto/tls.(*Conn).Write", .site = WG_TLS_GO_WRITE},
    {.symbol = "crypto/tls.(*Conn).clientHandshake", .site = WG_TLS_GO_HANDSHAKE, .is_optional = true},
    {.symbol = "crypto/tls.(*Conn).serverHandshake", .site = WG_TLS_GO_HANDSHAKE, .is_optional = true},
    {.symbol = "crypto/tls.(*Conn).Close", .site = WG_TLS_GO_FREE, .is_optional = true},
}};

// A release build keeps these as functions of their own: they are called from several places, with link-time
// optimisation, too. What is received is taken as each record is decrypted, not when the program reads it. Before 0.23
// that is inlined.
constexpr std::string_view kRustlsDrop =
    "*drop_in_place$LT$rustls..common_state..CommonState$GT$|*13drop_in_place*6rustls12common_state11CommonState";

constexpr std::array<TlsFunction, 3> kRustls = {{
    {.symbol = "*6rustls12common_state*11CommonState23take_received_plaintext", .site = WG_TLS_RUST_TAKE},
    {.symbol = "*6rustls12common_state*11CommonState20send_appdata_encrypt", .site = WG_TLS_RUST_WRITE},
    {.symbol = kRustlsDrop, .site = WG_TLS_RUST_FREE},
}};

constexpr TlsLibrary kLibraries[] = {
    {.name = "openssl", .functions = kOpenssl},
    {.name = "gnutls", .functions = kGnutls},
    {.name = "mbedtls", .functions = kMbedtls},
    {.name = "wolfssl", .functions = kWolfssl},
    {.name = "go", .functions = kGo, .is_go = true},
    {.name = "rustls", .functions = kRustls},
    {.name = "openssl by fingerprint", .functions = kOpensslOwn, .own_file = "ssl/ssl_lib.c"},
    {.name = "openssl 1.1 by fingerprint", .functions = kOpenssl11Own, .own_file = "ssl/ssl_lib.c"},
    {.name = "boringssl by fingerprint",
     .functions = kBoringsslOwn,
     .own_file = "ssl/ssl_lib.cc",
     .gives_reasons = true},
};

}  // namespace

std::span<const TlsLibrary> tls_libraries() { return kLibraries; }

unsigned arguments_of(wg_tls_site site) {
    switch (site) {
        case WG_TLS_READ:
        case WG_TLS_WRITE:
        case WG_TLS_RUST_TAKE:
        case WG_TLS_RUST_WRITE:
            return 2;
        case WG_TLS_READ_EX:
        case WG_TLS_WRITE_EX:
            return 4;
        case WG_TLS_WRITE_FLAGS:
            return 5;
        case WG_TLS_GO_READ:
        case WG_TLS_GO_WRITE:
            return 3;
        default:
            return 1;
    }
}

bool has_result(wg_tls_site site) {
    return site <= WG_TLS_WRITE_EX || (site >= WG_TLS_GO_READ && site <= WG_TLS_GO_HANDSHAKE) ||
           site == WG_TLS_RUST_WRITE || site == WG_TLS_SEND_FILE || site == WG_TLS_WRITE_FLAGS;
}

wg_tls_site leave_of(wg_tls_site site) { return is_go(site) ? WG_TLS_GO_LEAVE : WG_TLS_LEAVE; }

bool is_go(wg_tls_site site) { return site >= WG_TLS_GO_READ && site <= WG_TLS_GO_FREE; }

}  // namespace waggle::sensors
