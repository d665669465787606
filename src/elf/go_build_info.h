// SPDX-License-Identifier: Apache-2.0
// What the Go linker says about a program: version, main package, main module.
#pragma once

#include <optional>
#include <string>

#include "elf/image.h"

namespace waggle::elf {

struct GoBuildInfo {
    std::string version;       // go1.22.1
    std::string main_package;  // github.com/acme/shop/cmd/server
    std::string main_module;   // github.com/acme/shop
};

std::optional<GoBuildInfo> read_go_build_info(const Image& image);

}  // namespace waggle::elf
