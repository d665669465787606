// SPDX-License-Identifier: Apache-2.0
// What a batch holds of requests: records of connections that nobody can read are in it, too.
#pragma once

#include <vector>

#include "spans/span.h"

namespace waggle::protocols::testing {

inline std::vector<const spans::Span*> requests_in(const spans::SpanBatch& batch) {
    std::vector<const spans::Span*> found;
    for (const spans::Span& span : batch)
        if (span.span_class != spans::SpanClass::Connection) found.push_back(&span);
    return found;
}

}  // namespace waggle::protocols::testing
