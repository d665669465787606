// SPDX-License-Identifier: Apache-2.0
// Deep copy of a span between batches, for queues that outlive the pipeline's batch.
#pragma once

#include "spans/span.h"

namespace waggle::spans {

// All text of the copy, keys too, lives in to's arena.
Span& copy_span(const Span& from, SpanBatch& to);

}  // namespace waggle::spans
