// SPDX-License-Identifier: Apache-2.0
// MongoDB's wire protocol (OP_MSG, and OP_QUERY for commands) over any byte source; OpenTelemetry database
// conventions. Of documents only the command's name, its collection and its database are told.
#pragma once

#include "protocols/protocol.h"

namespace waggle::protocols::mongodb {

extern const Protocol kMongodb;

}  // namespace waggle::protocols::mongodb
