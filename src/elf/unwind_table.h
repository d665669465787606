// SPDX-License-Identifier: Apache-2.0
// Where functions begin and end by the table that exceptions are unwound by (.eh_frame): a stripped program keeps it.
#pragma once

#include <cstdint>
#include <functional>

#include "elf/image.h"

namespace waggle::elf {

// Calls with the address and the size of each. Entries that are written in another way than compilers for x86-64 do,
// are passed over.
void each_unwound(const Image& image, const std::function<void(std::uint64_t address, std::uint64_t size)>& each);

}  // namespace waggle::elf
