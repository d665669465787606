// SPDX-License-Identifier: Apache-2.0
// Memcached's text, meta and binary protocols over any byte source; OpenTelemetry database conventions.
// Keys and values are never told.
#pragma once

#include "protocols/protocol.h"

namespace waggle::protocols::memcached {

extern const Protocol kMemcached;

}  // namespace waggle::protocols::memcached
