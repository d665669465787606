// SPDX-License-Identifier: Apache-2.0
// Any bytes as a configuration file: load() answers, with a Loaded or an Error; what it prints can
// be loaded again.
#include <cstdlib>

#include "config/load.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    constexpr size_t kLargest = 64 * 1024;
    if (size > kLargest) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const waggle::Result<waggle::config::Loaded> loaded = waggle::config::load(text, "fuzz.yaml", {});
    if (!loaded) return 0;
    const std::string printed = waggle::config::print(*loaded);
    if (!waggle::config::load(printed, "printed.yaml", {})) std::abort();
    return 0;
}
