// SPDX-License-Identifier: Apache-2.0
// The names of Redis' commands, in capitals.
#pragma once

#include <string_view>

namespace waggle::protocols::redis {

bool is_command(std::string_view name);
bool is_container(std::string_view name);

}  // namespace waggle::protocols::redis
