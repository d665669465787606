// SPDX-License-Identifier: Apache-2.0
// The sources of settings, each applied onto a Draft through the table; the later one wins.
// Problems are collected, never thrown.
#pragma once

#include <string_view>

#include "config/draft.h"
#include "config/load.h"
#include "config/yaml_tree.h"

namespace waggle::config {

void apply_yaml(const Node& root, std::string_view file_name, Draft& draft, Problems& problems);
void apply_environment(const Environment& environment, Draft& draft, Problems& problems);
void apply_flags(const Flags& flags, Draft& draft, Problems& problems);

// Is a variable of Beyla's own set (BEYLA_*, except what Kubernetes sets for a service named
// beyla)?
bool has_beyla_variable(const Environment& environment);

}  // namespace waggle::config
