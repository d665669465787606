// SPDX-License-Identifier: Apache-2.0
// Filter: drops spans by their attributes (filter.application), before all exporters.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/config.h"
#include "decorate/stage.h"

namespace waggle::decorate {

class Filter final : public Stage {
  public:
    // Fails on a name no span can have, and on a rule that does not have exactly one of match and
    // not_match.
    static Result<std::unique_ptr<Filter>> create(const std::map<std::string, config::AttributeFilter>& rules);

    ~Filter() override;
    void apply(spans::SpanBatch& batch) override;

  private:
    struct Rule;

    explicit Filter(std::vector<Rule> rules);

    std::vector<Rule> rules_;
};

}  // namespace waggle::decorate
