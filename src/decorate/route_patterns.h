// SPDX-License-Identifier: Apache-2.0
// RoutePatterns: configured routes such as /a/:x, /a/{x} and /a/*, as Beyla matches them: at each
// segment the literal, else '*' for all the rest, else a placeholder; a literal once taken is not
// given back.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace waggle::decorate {

class RoutePatterns {
  public:
    explicit RoutePatterns(const std::vector<std::string>& patterns);
    ~RoutePatterns();

    // The pattern as it was configured, empty when none matches. Lives as long as this does.
    std::string_view find(std::string_view path) const;
    bool is_empty() const { return is_empty_; }

  private:
    struct Node;

    void add(std::string_view pattern);

    std::unique_ptr<Node> root_;
    bool is_empty_;
};

}  // namespace waggle::decorate
