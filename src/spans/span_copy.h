// SPDX-License-Identifier: Apache-2.0
// Deep copy of a span between batches, for queues that outlive the pipeline's batch.
#pragma once

#include "spans/span.h"

namespace waggle::spans {

// The text of the copy lives in to's arena, but for what is static: keys and the protocol's name.
Span& copy_span(const Span& from, SpanBatch& to);

}  // namespace waggle::spans
