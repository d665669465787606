// SPDX-License-Identifier: Apache-2.0
// Makes the messages that a TLS handshake begins with, for tests.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace waggle::protocols::testing {

inline std::string number(std::size_t value, int size) {
    std::string bytes;
    for (int i = size - 1; i >= 0; --i) bytes += static_cast<char>(value >> (8 * i));
    return bytes;
}

inline std::string vector(const std::string& bytes, int size) { return number(bytes.size(), size) + bytes; }

inline std::string extension(std::uint16_t type, const std::string& bytes) {
    return number(type, 2) + vector(bytes, 2);
}

struct TestClientHello {
    std::string server_name;
    std::vector<std::string> protocols;
    std::string session;
    bool has_early_data = false;
};

inline std::string client_hello(const TestClientHello& hello) {
    std::string extensions;
    if (!hello.server_name.empty()) extensions += extension(0, vector(number(0, 1) + vector(hello.server_name, 2), 2));
    std::string list;
    for (const std::string& protocol : hello.protocols) list += vector(protocol, 1);
    if (!list.empty()) extensions += extension(16, vector(list, 2));
    if (hello.has_early_data) extensions += extension(42, "");
    const std::string body = number(0x0303, 2) + std::string(32, 'r') + vector(hello.session, 1) +
                             vector(number(0x1301, 2), 2) + vector(number(0, 1), 1) + vector(extensions, 2);
    return number(1, 1) + vector(body, 3);
}

struct TestServerHello {
    std::uint16_t version = 0x0304;
    std::uint16_t cipher = 0x1301;
    std::string protocol;
    std::string session;
    bool has_shared_key = false;
    bool is_retry = false;
};

inline std::string server_hello(const TestServerHello& hello) {
    const std::string retry =
        "\xCF\x21\xAD\x74\xE5\x9A\x61\x11\xBE\x1D\x8C\x02\x1E\x65\xB8\x91"
        "\xC2\xA2\x11\x16\x7A\xBB\x8C\x5E\x07\x9E\x09\xE2\xC8\xA8\x33\x9C";
    std::string extensions;
    if (hello.version >= 0x0304) extensions += extension(43, number(hello.version, 2));
    if (!hello.protocol.empty()) extensions += extension(16, vector(vector(hello.protocol, 1), 2));
    if (hello.has_shared_key) extensions += extension(41, number(0, 2));
    const std::string body = number(std::min<std::size_t>(hello.version, 0x0303), 2) +
                             (hello.is_retry ? retry : std::string(32, 'r')) + vector(hello.session, 1) +
                             number(hello.cipher, 2) + number(0, 1) + vector(extensions, 2);
    return number(2, 1) + vector(body, 3);
}

inline std::string tls_record(std::uint8_t type, const std::string& body) {
    return number(type, 1) + number(0x0303, 2) + vector(body, 2);
}

}  // namespace waggle::protocols::testing
