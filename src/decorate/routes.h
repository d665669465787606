// SPDX-License-Identifier: Apache-2.0
// Routes: http.route and the name of HTTP spans, by the configured patterns or else by guessing
// which parts of the path are names and which are ids. However many paths there are, the routes of
// a service stay few (RouteTree).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/config.h"
#include "decorate/path_classes.h"
#include "decorate/route_patterns.h"
#include "decorate/route_tree.h"
#include "decorate/stage.h"

namespace waggle::decorate {

class Routes final : public Stage {
  public:
    // With with_clients client spans get a route too, as in Beyla; their name stays.
    Routes(const config::RoutesConfig& config, bool with_clients);

    void apply(spans::SpanBatch& batch) override;

  private:
    struct ServiceRoutes {
        RouteTree tree;
        std::uint64_t used = 0;
    };
    static constexpr size_t kMaxServices = 512;

    void mark_ignored(spans::Span& span) const;
    std::string_view route_of(const spans::Span& span, std::string_view path);
    std::string_view guess(const spans::Span& span, std::string_view path);
    RouteTree& tree_of(const spans::Span& span);

    config::Unmatched unmatched_;
    config::IgnoreMode ignore_mode_;
    bool with_clients_;
    std::uint32_t max_children_;
    RoutePatterns patterns_;
    RoutePatterns ignored_;
    std::string wildcard_;

    std::unordered_map<std::string, ServiceRoutes> services_;  // by service and side
    std::uint64_t turn_ = 0;
    // Spans of one service come in runs. The pointer keeps the address from meaning another
    // service.
    spans::ResourcePtr last_resource_;
    spans::SpanKind last_kind_ = spans::SpanKind::Internal;
    RouteTree* last_tree_ = nullptr;
    std::string key_;
    std::string route_;
    std::vector<PathPart> parts_;
};

}  // namespace waggle::decorate
