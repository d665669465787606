// SPDX-License-Identifier: Apache-2.0
// Base64 (RFC 4648 §4), with padding or without.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace waggle {

std::string base64(std::string_view bytes);

// Reads base64 that comes in pieces. Behind padding a new one may begin: so write those who encode what they send
// piece by piece.
class Base64Decoder {
  public:
    // False: it is none. What stands before that is in `out`.
    bool add(std::string_view text, std::string& out);

  private:
    std::uint32_t bits_ = 0;
    unsigned digits_ = 0;  // of the group of four, padding included
    bool is_padded_ = false;
};

}  // namespace waggle
