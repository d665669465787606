// SPDX-License-Identifier: Apache-2.0
// Redis' protocol (RESP2, RESP3, inline commands) over any byte source; OpenTelemetry database conventions.
// Keys and values are never looked at.
#pragma once

#include "protocols/protocol.h"

namespace waggle::protocols::redis {

extern const Protocol kRedis;

}  // namespace waggle::protocols::redis
