// SPDX-License-Identifier: Apache-2.0
// MySQL's and MariaDB's client/server protocol over any byte source; OpenTelemetry database conventions.
#pragma once

#include "protocols/protocol.h"

namespace waggle::protocols::mysql {

extern const Protocol kMysql;

}  // namespace waggle::protocols::mysql
