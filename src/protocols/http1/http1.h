// SPDX-License-Identifier: Apache-2.0
// HTTP/1.0 and HTTP/1.1 (RFC 9110, RFC 9112) over any byte source; OpenTelemetry HTTP conventions.
#pragma once

#include "protocols/protocol.h"

namespace waggle::protocols::http1 {

extern const Protocol kHttp1;

}  // namespace waggle::protocols::http1
