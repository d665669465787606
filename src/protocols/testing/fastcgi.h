// SPDX-License-Identifier: Apache-2.0
// An exchange of FastCGI whose answer says nothing of its length: the first piece is all that is captured of it, whole
// records, and the end is in the other.
#pragma once

#include <string>

#include "bpf/lib/position.h"

namespace waggle::protocols::testing {

inline std::string fastcgi_record(char type, const std::string& content, char id = 1) {
    const char head[] = {1, type, 0, id, static_cast<char>(content.size() >> 8), static_cast<char>(content.size()),
                         0, 0};
    return std::string(head, sizeof(head)) + content;
}

inline std::string fastcgi_request() {
    return fastcgi_record(1, std::string("\0\1\0\0\0\0\0\0", 8)) +
           fastcgi_record(4, "\x0e\x03REQUEST_METHODGET\x0b\x02REQUEST_URI/a") + fastcgi_record(4, "") +
           fastcgi_record(5, "");
}

inline std::string fastcgi_first_piece() {
    const std::string head = "Status: 200 OK\r\n\r\n";
    return fastcgi_record(6, head + std::string(WG_FIRST_BYTES - 8 - head.size(), 'x'));
}

inline std::string fastcgi_last_piece() { return fastcgi_record(6, "") + fastcgi_record(3, std::string(8, '\0')); }

}  // namespace waggle::protocols::testing
