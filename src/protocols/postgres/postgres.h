// SPDX-License-Identifier: Apache-2.0
// PostgreSQL's protocol 3 over any byte source; OpenTelemetry database conventions.
#pragma once

#include "protocols/protocol.h"

namespace waggle::protocols::postgres {

extern const Protocol kPostgres;

}  // namespace waggle::protocols::postgres
