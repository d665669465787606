// SPDX-License-Identifier: Apache-2.0
// AMQP 0-9-1, RabbitMQ's own protocol, over any byte source; OpenTelemetry messaging conventions. Bodies and
// properties are never told.
#pragma once

#include "protocols/protocol.h"

namespace waggle::protocols::amqp {

extern const Protocol kAmqp;

}  // namespace waggle::protocols::amqp
