// SPDX-License-Identifier: Apache-2.0
// Secrets: text for people and logs without what gives access. Masks more than it must, never less.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace waggle {

constexpr std::string_view kMask = "***";

// Without user, password and query: "http://***@host/path?***". Also where there is no scheme.
std::string mask_url(std::string_view url);

// A command line with the values of options like --password or API_TOKEN= masked, and URLs as above.
std::string mask_arguments(std::span<const std::string> arguments);

}  // namespace waggle
