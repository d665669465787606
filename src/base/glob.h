// SPDX-License-Identifier: Apache-2.0
// Shell-like patterns over a whole text: * any run, ? one character, [a-z] [!a-z] sets, {a,b}
// alternatives (may nest), \ takes the next character as it is. '/' is no special character.
#pragma once

#include <string_view>

namespace waggle {

// Time grows with pattern times text, never faster: untrusted texts are fine, and patterns too.
bool glob_match(std::string_view pattern, std::string_view text);

// Does the pattern differ from a plain text?
bool is_glob(std::string_view pattern);

}  // namespace waggle
