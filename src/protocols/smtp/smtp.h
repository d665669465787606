// SPDX-License-Identifier: Apache-2.0
// SMTP (RFC 5321) and LMTP, over any byte source: one transaction is one span, by OpenTelemetry's messaging
// conventions. Addresses, names and contents are never told.
#pragma once

#include "protocols/protocol.h"

namespace waggle::protocols::smtp {

extern const Protocol kSmtp;

}  // namespace waggle::protocols::smtp
