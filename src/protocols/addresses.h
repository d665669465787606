// SPDX-License-Identifier: Apache-2.0
// Addresses as text, for the tracker.
#pragma once

#include <cstdint>
#include <string>

namespace waggle::protocols {

// An address as in wg_tuple.
std::string address_text(const std::uint8_t* address);

}  // namespace waggle::protocols
