// SPDX-License-Identifier: Apache-2.0
#include "protocols/addresses.h"

#include <arpa/inet.h>

#include <cstring>

namespace waggle::protocols {

std::string address_text(const std::uint8_t* address) {
    static constexpr std::uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    char text[INET6_ADDRSTRLEN] = {};
    const bool is_mapped = std::memcmp(address, kMapped, 12) == 0;
    ::inet_ntop(is_mapped ? AF_INET : AF_INET6, is_mapped ? address + 12 : address, text, sizeof(text));
    return text;
}

}  // namespace waggle::protocols
