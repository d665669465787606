// SPDX-License-Identifier: Apache-2.0
// The entries of discovery.services and of the exclusion lists, from and to YAML. Stricter than the
// rest of the file, as in Beyla: an unknown key or an entry that selects nothing is an error.
#pragma once

#include <span>
#include <string_view>

#include "config/config.h"

namespace waggle::config {

struct SelectorKey {
    std::string_view name;
    std::string_view type;
    std::string_view help;
};

// For the documentation.
std::span<const SelectorKey> selector_keys();

// Does the entry say which processes it means (a name alone does not)?
bool selects(const SelectorConfig& selector);

}  // namespace waggle::config
