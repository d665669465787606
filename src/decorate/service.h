// SPDX-License-Identifier: Apache-2.0
// Service: says whom each span belongs to, by the process that made it. First of the stages, since
// the others ask for the service.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "decorate/stage.h"
#include "discover/target.h"

namespace waggle::decorate {

class Service final : public Stage {
  public:
    using TableSource = std::function<std::shared_ptr<const discover::TargetTable>()>;

    explicit Service(TableSource table);

    void apply(spans::SpanBatch& batch) override;
    // Has discovery said yet whose these spans are?
    bool knows(const spans::SpanBatch& batch) const;
    // Spans of processes the table does not have; they go out as "unknown_service". From any
    // thread.
    std::uint64_t unknown_spans() const { return unknown_.load(std::memory_order_relaxed); }

  private:
    TableSource table_;
    spans::ResourcePtr unknown_resource_;
    std::atomic<std::uint64_t> unknown_{0};
};

}  // namespace waggle::decorate
