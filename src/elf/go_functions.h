// SPDX-License-Identifier: Apache-2.0
// Functions of a Go program by name, stripped or not: from the table that its run time keeps of them (.gopclntab).
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "elf/image.h"
#include "elf/symbols.h"

namespace waggle::elf {

// Those of the names that the program has; none when it is no Go program. An error says that it has some, and why
// they cannot be found: a Go before 1.18, whose table is another one, or code that does not look like Go's there.
Result<std::vector<Function>> find_go_functions(const Image& image, std::span<const std::string_view> names);

}  // namespace waggle::elf
