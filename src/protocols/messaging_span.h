// SPDX-License-Identifier: Apache-2.0
// The attributes that brokers have in common (OpenTelemetry messaging conventions). A codec fills
// MessagingCall; what is empty or negative is unknown and not told.
#pragma once

#include <cstdint>
#include <string_view>

#include "protocols/protocol.h"

namespace waggle::protocols {

struct MessagingCall {
    std::string_view system;
    std::string_view operation;       // as the system calls it: static text
    std::string_view operation_type;  // send, receive, settle, …: static text; empty: none of these
    std::string_view destination;
    std::string_view partition;
    std::string_view client_id;
    std::string_view consumer_group;
    std::string_view error_type;  // empty: none
    std::int64_t message_count = -1;
};

// Sends are of kind producer for their client, all else stays what the connection says.
void describe_messaging(const MessagingCall& call, const ConnectionInfo& info, spans::SpanBatch& batch,
                        spans::Span& span);

}  // namespace waggle::protocols
