// SPDX-License-Identifier: Apache-2.0
// Short forms of load() for the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

#include "config/load.h"

namespace waggle::config {

// The Loaded of a text that must load.
inline Loaded loaded(std::string_view yaml, const Environment& environment = {}, const Flags& flags = {}) {
    Result<Loaded> result = load(yaml, "w.yaml", environment, flags);
    if (result) return std::move(*result);
    ADD_FAILURE() << result.error().message;
    return {};
}

// The error of a text that must not.
inline std::string error_of(std::string_view yaml, const Environment& environment = {}, const Flags& flags = {}) {
    const Result<Loaded> result = load(yaml, "w.yaml", environment, flags);
    return result ? "none" : result.error().message;
}

inline std::string warnings_of(const Loaded& loaded) { return join(loaded.warnings); }

inline Setting setting(const Loaded& loaded, std::string_view key) {
    for (const Setting& each : loaded.settings)
        if (each.key == key) return each;
    ADD_FAILURE() << "no setting " << key;
    return {};
}

}  // namespace waggle::config
