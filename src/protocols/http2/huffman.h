// SPDX-License-Identifier: Apache-2.0
// The Huffman code of HPACK (RFC 7541 §5.2, appendix B). The code is canonical: the lengths say it all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace waggle::protocols::http2 {

// Decodes to text, of which it keeps the first `keep` bytes; size: how long all of it is. False: no such text.
bool decode_huffman(std::string_view coded, std::size_t keep, std::string& text, std::size_t& size);

// For tests, which make what this reads.
std::string encode_huffman(std::string_view text);

}  // namespace waggle::protocols::http2
