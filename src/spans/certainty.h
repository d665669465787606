// SPDX-License-Identifier: Apache-2.0
// How sure a span is, as text: what its plain members are called in attributes and filters. Empty: nothing to say.
#pragma once

#include <string_view>

#include "spans/span.h"

namespace waggle::spans {

constexpr std::string_view incomplete_name(Incomplete incomplete) {
    switch (incomplete) {
        case Incomplete::Closed:
            return "connection_closed";
        case Incomplete::Timeout:
            return "timeout";
        case Incomplete::MaxAge:
            return "max_exchange_age";
        case Incomplete::Hole:
            return "not_captured";
        case Incomplete::AgentStart:
            return "agent_start";
        case Incomplete::AgentStop:
            return "agent_stop";
        case Incomplete::No:
            break;
    }
    return {};
}

// Nothing for a parent that a header names: that is what everybody expects.
constexpr std::string_view parent_name(ParentSource source) {
    switch (source) {
        case ParentSource::Exact:
            return "exact";
        case ParentSource::Runtime:
            return "runtime";
        case ParentSource::Thread:
            return "thread";
        case ParentSource::Inferred:
            return "inferred";
        default:
            return {};
    }
}

constexpr std::string_view role_name(bool is_unknown) {
    return is_unknown ? std::string_view("unknown") : std::string_view();
}

}  // namespace waggle::spans
