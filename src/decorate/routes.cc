// SPDX-License-Identifier: Apache-2.0
#include "decorate/routes.h"

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "spans/attribute_names.h"

namespace waggle::decorate {
namespace {

using spans::Span;
using spans::SpanKind;

constexpr std::string_view kAnyRoute = "/**";

// A path that the service answered as if it had it. Scanners get 404 for most of theirs.
bool is_confirmed(const Span& span) {
    const std::int64_t status = span.attributes.number(attr::http_response_status_code, 0);
    return status >= 200 && status < 400;
}

// "<METHOD> <route>" in the batch's arena; http.route is its second half.
void set_route(spans::SpanBatch& batch, Span& span, std::string_view route) {
    if (span.kind != SpanKind::Server) {
        span.attributes.add(attr::http_route, batch.text(route));
        return;
    }
    const size_t method = span.name.size();
    char* name = batch.arena().allocate(method + 1 + route.size());
    std::memcpy(name, span.name.data(), method);
    name[method] = ' ';
    std::memcpy(name + method + 1, route.data(), route.size());
    span.name = {name, method + 1 + route.size()};
    span.attributes.add(attr::http_route, span.name.substr(method + 1));
}

}  // namespace

Routes::Routes(const config::RoutesConfig& config, bool with_clients)
    : unmatched_(config.unmatched),
      ignore_mode_(config.ignore_mode),
      with_clients_(with_clients),
      max_children_(config.max_path_segment_cardinality),
      patterns_(config.patterns),
      ignored_(config.ignored_patterns),
      wildcard_(config.wildcard_char.empty() ? "*" : config.wildcard_char) {
    if (unmatched_ == config::Unmatched::Wildcard && patterns_.is_empty())
        log::warn("routes: without patterns, unmatched: wildcard makes {} of every path", kAnyRoute);
}

void Routes::apply(spans::SpanBatch& batch) {
    for (Span& span : batch) {
        if (span.span_class != spans::SpanClass::Http) continue;
        const std::string_view path = span.attributes.text(attr::url_path);
        if (path.empty()) continue;
        if (!ignored_.is_empty() && !ignored_.find(path).empty()) mark_ignored(span);
        const bool is_routed = span.kind == SpanKind::Server || (with_clients_ && span.kind == SpanKind::Client);
        if (!is_routed || span.attributes.find(attr::http_route) != nullptr) continue;
        if (const std::string_view route = route_of(span, path); !route.empty()) set_route(batch, span, route);
    }
}

void Routes::mark_ignored(Span& span) const {
    if (ignore_mode_ != config::IgnoreMode::Metrics) span.is_ignored_for_traces = true;
    if (ignore_mode_ != config::IgnoreMode::Traces) span.is_ignored_for_metrics = true;
}

// Valid until the next call.
std::string_view Routes::route_of(const Span& span, std::string_view path) {
    if (!patterns_.is_empty())
        if (const std::string_view route = patterns_.find(path); !route.empty()) return route;
    switch (unmatched_) {
        case config::Unmatched::Unset:
            return {};
        case config::Unmatched::Path:
            return path;
        case config::Unmatched::Wildcard:
            return kAnyRoute;
        case config::Unmatched::Heuristic:
            return guess(span, path);
    }
    return {};
}

std::string_view Routes::guess(const Span& span, std::string_view path) {
    classify_path(path, parts_);
    tree_of(span).fit(parts_, is_confirmed(span), wildcard_, route_);
    return route_;
}

RouteTree& Routes::tree_of(const Span& span) {
    if (last_tree_ != nullptr && span.resource == last_resource_ && span.kind == last_kind_) return *last_tree_;
    key_ = span.kind == SpanKind::Server ? 's' : 'c';
    if (span.resource) {
        key_ += span.resource->service_namespace;
        key_ += '/';
        key_ += span.resource->service_name;
    }
    auto found = services_.find(key_);
    if (found == services_.end()) {
        if (services_.size() >= kMaxServices)
            services_.erase(
                std::ranges::min_element(services_, {}, [](const auto& service) { return service.second.used; }));
        found = services_.emplace(key_, ServiceRoutes{.tree = RouteTree(max_children_)}).first;
    }
    found->second.used = ++turn_;
    last_resource_ = span.resource;
    last_kind_ = span.kind;
    last_tree_ = &found->second.tree;
    return *last_tree_;
}

}  // namespace waggle::decorate
