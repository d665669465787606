// SPDX-License-Identifier: Apache-2.0
// Service: says whom each span belongs to, by the process that made it, and drops spans of processes
// that discovery does not want (the kernel side watches those too, until they are judged). First of
// the stages, since the others ask for the service.
#pragma once

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
    // Has discovery said yet whose these spans are? boot_ns: now, as processes' starts are told.
    enum class Known : std::uint8_t {
        No,     // of one of them it has said nothing
        Young,  // one may have called exec since: who has just begun does
        Yes,
    };
    Known knows(const spans::SpanBatch& batch, std::uint64_t boot_ns) const;
    // Spans that were dropped.
    std::uint64_t unowned() const { return unowned_; }

  private:
    TableSource table_;
    std::uint64_t unowned_ = 0;
};

}  // namespace waggle::decorate
