// SPDX-License-Identifier: Apache-2.0
// JSON-RPC 2.0 as it is, over any byte source: documents one after the other, or each behind a Content-Length (as
// language servers speak). Over HTTP it is HTTP's (http/content.h). OpenTelemetry RPC conventions; parameters and
// results are never told.
#pragma once

#include "protocols/protocol.h"

namespace waggle::protocols::jsonrpc {

extern const Protocol kJsonRpc;

}  // namespace waggle::protocols::jsonrpc
