// SPDX-License-Identifier: Apache-2.0
// Stage: one step between the protocols and the exporters. The pipeline's thread calls the stages
// in order on each batch; a stage may change spans and take some out, and keeps no view into the
// batch.
#pragma once

#include "spans/span.h"

namespace waggle::decorate {

class Stage {
  public:
    Stage() = default;
    Stage(const Stage&) = delete;
    Stage& operator=(const Stage&) = delete;
    virtual ~Stage() = default;

    virtual void apply(spans::SpanBatch& batch) = 0;
};

}  // namespace waggle::decorate
