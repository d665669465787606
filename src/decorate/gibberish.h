// SPDX-License-Identifier: Apache-2.0
// Tells names made by people from random letters, by which letters follow which in English words
// and in the abbreviations that paths are made of.
#pragma once

#include <string_view>

namespace waggle::decorate {

// text: letters, '-' and '_'. Words begin after those and at a capital inside a word. No
// allocation.
bool is_gibberish(std::string_view text);

}  // namespace waggle::decorate
