// SPDX-License-Identifier: Apache-2.0
// gzip as HTTP Content-Encoding has it (RFC 1952).
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace waggle::http {

std::string gzip(std::string_view data);

// Fails on damaged data and on more than max_bytes of output.
Result<std::string> gunzip(std::string_view data, std::size_t max_bytes);

// Whether an Accept-Encoding header allows gzip.
bool accepts_gzip(std::string_view accept_encoding);

}  // namespace waggle::http
