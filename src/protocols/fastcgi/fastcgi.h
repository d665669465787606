// SPDX-License-Identifier: Apache-2.0
// FastCGI over any byte source: an exchange is the HTTP request that a web server hands on, and is told as one.
#pragma once

#include "protocols/protocol.h"

namespace waggle::protocols::fastcgi {

extern const Protocol kFastcgi;

}  // namespace waggle::protocols::fastcgi
