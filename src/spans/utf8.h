// SPDX-License-Identifier: Apache-2.0
// Text from the wire may be no UTF-8, but protobuf, JSON and Prometheus receivers refuse whole
// messages for one bad byte. Exporters pass every string through here.
#pragma once

#include <string>
#include <string_view>

namespace waggle::spans {

// The length of the longest prefix that is well-formed UTF-8 (no surrogates, no overlong forms).
std::size_t valid_utf8_prefix(std::string_view text);

// text, or when it is not well-formed a copy in storage with U+FFFD for each bad byte.
std::string_view valid_utf8(std::string_view text, std::string& storage);

}  // namespace waggle::spans
