// SPDX-License-Identifier: Apache-2.0
// Who talks to whom, as databases and brokers tell it: server.*, client.address, network.peer.*, network.transport.
#pragma once

#include "protocols/protocol.h"

namespace waggle::protocols {

void describe_peers(const ConnectionInfo& info, spans::SpanBatch& batch, spans::Attributes& attributes);

}  // namespace waggle::protocols
