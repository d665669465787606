// SPDX-License-Identifier: Apache-2.0
// MQTT 3.1, 3.1.1 and 5, over any byte source; OpenTelemetry messaging conventions. Payloads and properties are never
// told.
#pragma once

#include "protocols/protocol.h"

namespace waggle::protocols::mqtt {

extern const Protocol kMqtt;

}  // namespace waggle::protocols::mqtt
