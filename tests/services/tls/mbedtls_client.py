# SPDX-License-Identifier: Apache-2.0
"""A client of HTTPS by mbedTLS, called as a C program would: for each line "port certificate path" a request."""
import ctypes
import sys

crypto = ctypes.CDLL("libmbedcrypto.so.7", ctypes.RTLD_GLOBAL)
certificates = ctypes.CDLL("libmbedx509.so.1", ctypes.RTLD_GLOBAL)
mbedtls = ctypes.CDLL("libmbedtls.so.14")


def made(library, kind):
    """A structure of theirs; none is as large."""
    memory = ctypes.create_string_buffer(1 << 16)
    getattr(library, f"mbedtls_{kind}_init")(memory)
    return memory


def check(result):
    assert result == 0, hex(-result)


entropy, random, authority, settings = (made(*of) for of in ((crypto, "entropy"), (crypto, "ctr_drbg"), (certificates, "x509_crt"),
                                                            (mbedtls, "ssl_config")))
check(crypto.mbedtls_ctr_drbg_seed(random, crypto.mbedtls_entropy_func, entropy, None, 0))
check(mbedtls.mbedtls_ssl_config_defaults(settings, 0, 0, 0))  # a client's, of streams
mbedtls.mbedtls_ssl_conf_ca_chain(settings, authority, None)
mbedtls.mbedtls_ssl_conf_rng(settings, crypto.mbedtls_ctr_drbg_random, random)

for line in sys.stdin:
    port, certificate, path = line.split()
    check(certificates.mbedtls_x509_crt_parse_file(authority, certificate.encode()))
    connection, session = made(mbedtls, "net"), made(mbedtls, "ssl")
    check(mbedtls.mbedtls_net_connect(connection, b"127.0.0.1", port.encode(), 0))
    check(mbedtls.mbedtls_ssl_setup(session, settings))
    check(mbedtls.mbedtls_ssl_set_hostname(session, b"localhost"))
    mbedtls.mbedtls_ssl_set_bio(session, connection, mbedtls.mbedtls_net_send, mbedtls.mbedtls_net_recv, None)
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    # The handshake is left to it.
    assert mbedtls.mbedtls_ssl_write(session, request, len(request)) == len(request)
    buffer = ctypes.create_string_buffer(4096)
    answer = b""
    while not answer.endswith(b"hello"):
        size = mbedtls.mbedtls_ssl_read(session, buffer, len(buffer))
        assert size > 0, size
        answer += buffer.raw[:size]
    mbedtls.mbedtls_ssl_free(session)
    mbedtls.mbedtls_net_free(connection)
