// SPDX-License-Identifier: Apache-2.0
// Kafka over any byte source: Produce and Fetch give spans by OpenTelemetry's messaging conventions; other
// requests are read only for what they teach (names of topic ids, groups). Keys and values are never told.
#pragma once

#include "protocols/protocol.h"

namespace waggle::protocols::kafka {

extern const Protocol kKafka;

}  // namespace waggle::protocols::kafka
