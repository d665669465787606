// SPDX-License-Identifier: Apache-2.0
// NATS, over any byte source; OpenTelemetry messaging conventions. Payloads and headers are never told.
#pragma once

#include "protocols/protocol.h"

namespace waggle::protocols::nats {

extern const Protocol kNats;

}  // namespace waggle::protocols::nats
