// SPDX-License-Identifier: Apache-2.0
#include "decorate/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "decorate/path_classes.h"
#include "decorate/route_patterns.h"
#include "spans/attribute_names.h"

namespace waggle::decorate {
namespace {

using spans::Span;
using spans::SpanKind;

TEST(RoutePatterns, MatchAsBeylaDoes) {
    const RoutePatterns patterns({"/users", "/users/:id", "/users/{id}/orders", "/users/me", "/files/*", "/a/b/*",
                                  "/a/:x/c", "/", "/v1/:", "/x/{}/y"});
    const std::pair<const char*, const char*> kCases[] = {
        {"/users", "/users"},
        {"/users/", "/users"},
        {"users", "/users"},
        {"/users/5", "/users/:id"},
        {"/users/me", "/users/me"},
        {"/users/5/orders", "/users/{id}/orders"},
        {"/users/5/orders/7", ""},
        {"/files", "/files/*"},
        {"/files/a/b/c", "/files/*"},
        {"/a/b/c", "/a/b/*"},
        {"/a/x/c", "/a/:x/c"},
        {"/a/x/d", ""},
        {"/none", ""},
        {"/", "/"},
        {"", "/"},
        {"/v1/5", "/v1/:"},
        {"/x/5/y", "/x/{}/y"},
        // A literal once taken is not given back.
        {"/users/me/orders", ""},
    };
    for (const auto& [path, route] : kCases) EXPECT_EQ(patterns.find(path), route) << path;
    EXPECT_TRUE(RoutePatterns({}).is_empty());
    EXPECT_EQ(RoutePatterns({}).find("/x"), "");
}

std::string guessed(std::string_view path) {
    std::vector<PathPart> parts;
    classify_path(path, parts);
    std::string route;
    for (size_t i = 0; i < parts.size(); ++i) {
        if (i > 0) route += '/';
        route += parts[i].is_id ? std::string_view("*") : parts[i].text;
    }
    return route;
}

TEST(PathClasses, BeylasReferenceCases) {
    const std::pair<const char*, const char*> kCases[] = {
        {"/users/fdklsd/j4elk/23993/job/2", "/users/*/j4elk/*/job/*"},
        {"/v1/products/22j", "/v1/products/*"},
        {"/products//org/3", "/products//org/*"},
        {"123/ljgdflgjf", "*/*"},
        {"/attach", "/attach"},
        {"/user-space/", "/user-space/"},
        {"/products/", "/products/"},
        {"/k6-test-runs", "/k6-test-runs"},
        {"/**", "/*"},
        {"", ""},
        {"/api/orders/7f3e4a10-6c1f-4d58-9f39-0a2d1f3f6f0e", "/api/orders/*"},
        {"/img/logo.png", "/img/*"},
    };
    for (const auto& [path, route] : kCases) EXPECT_EQ(guessed(path), route) << path;
}

TEST(PathClasses, FollowsTenSeparators) {
    EXPECT_EQ(guessed("/a/b/c/d/e/f/g/h/i/j/k/l"), "/a/b/c/d/e/f/g/h/i/j");
    EXPECT_EQ(guessed("/" + std::string(100, 'a')), "/*");
}

class RoutesTest : public testing::Test {
  protected:
    static spans::ResourcePtr resource(std::string name) {
        auto made = std::make_shared<spans::Resource>();
        made->service_name = std::move(name);
        return made;
    }
    Span& span(std::string_view path, std::int64_t status = 200, SpanKind kind = SpanKind::Server) {
        Span& made = batch_.add();
        made.kind = kind;
        made.name = batch_.text("GET");
        made.resource = shop_;
        made.attributes.add(attr::url_path, batch_.text(path));
        made.attributes.add(attr::http_response_status_code, status);
        return made;
    }
    std::string route(Routes& routes, std::string_view path, std::int64_t status = 200) {
        batch_.clear();
        span(path, status);
        routes.apply(batch_);
        return std::string(batch_.begin()->attributes.text(attr::http_route));
    }

    spans::ResourcePtr shop_ = resource("shop");
    spans::SpanBatch batch_;
};

TEST_F(RoutesTest, NameAndRoute) {
    Routes routes({.patterns = {"/users/:id"}}, false);
    span("/users/5");
    span("/orders/7");
    span("/users/5", 200, SpanKind::Client);
    routes.apply(batch_);
    const Span* all = batch_.begin();
    EXPECT_EQ(all[0].name, "GET /users/:id");
    EXPECT_EQ(all[0].attributes.text(attr::http_route), "/users/:id");
    EXPECT_EQ(all[1].name, "GET /orders/*");
    EXPECT_EQ(all[2].name, "GET");
    EXPECT_EQ(all[2].attributes.find(attr::http_route), nullptr);
}

TEST_F(RoutesTest, ClientsWhereBeylaHasThem) {
    Routes routes({}, true);
    span("/users/5", 200, SpanKind::Client);
    routes.apply(batch_);
    EXPECT_EQ(batch_.begin()->name, "GET");
    EXPECT_EQ(batch_.begin()->attributes.text(attr::http_route), "/users/*");
}

TEST_F(RoutesTest, LeavesWhatIsKnown) {
    Routes routes({}, false);
    span("/users/5").attributes.add(attr::http_route, std::string_view("/known"));
    span("/users/5").span_class = spans::SpanClass::Db;
    span("", 200);
    routes.apply(batch_);
    EXPECT_EQ(batch_.begin()[0].attributes.text(attr::http_route), "/known");
    EXPECT_EQ(batch_.begin()[1].attributes.find(attr::http_route), nullptr);
    EXPECT_EQ(batch_.begin()[2].attributes.find(attr::http_route), nullptr);
}

TEST_F(RoutesTest, UnmatchedModes) {
    const auto with = [&](config::Unmatched mode) {
        Routes routes({.unmatched = mode, .patterns = {"/users/:id"}}, false);
        EXPECT_EQ(route(routes, "/users/5"), "/users/:id");
        return route(routes, "/orders/7");
    };
    EXPECT_EQ(with(config::Unmatched::Unset), "");
    EXPECT_EQ(with(config::Unmatched::Path), "/orders/7");
    EXPECT_EQ(with(config::Unmatched::Wildcard), "/**");
    EXPECT_EQ(with(config::Unmatched::Heuristic), "/orders/*");
}

TEST_F(RoutesTest, WildcardCharacter) {
    Routes routes({.wildcard_char = "#"}, false);
    EXPECT_EQ(route(routes, "/orders/7"), "/orders/#");
    Routes empty({.wildcard_char = ""}, false);
    EXPECT_EQ(route(empty, "/orders/7"), "/orders/*");
}

TEST_F(RoutesTest, IgnoredPatterns) {
    const auto ignored = [&](config::IgnoreMode mode, std::string_view path) {
        Routes routes({.ignored_patterns = {"/health", "/internal/*"}, .ignore_mode = mode}, false);
        batch_.clear();
        span(path);
        routes.apply(batch_);
        const Span& found = *batch_.begin();
        // Other stages still see it.
        EXPECT_NE(found.attributes.find(attr::http_route), nullptr);
        return std::pair(found.is_ignored_for_traces, found.is_ignored_for_metrics);
    };
    EXPECT_EQ(ignored(config::IgnoreMode::All, "/health"), std::pair(true, true));
    EXPECT_EQ(ignored(config::IgnoreMode::All, "/internal/a/b"), std::pair(true, true));
    EXPECT_EQ(ignored(config::IgnoreMode::Traces, "/health"), std::pair(true, false));
    EXPECT_EQ(ignored(config::IgnoreMode::Metrics, "/health"), std::pair(false, true));
    EXPECT_EQ(ignored(config::IgnoreMode::All, "/healthy"), std::pair(false, false));
}

// A crawler with a hundred thousand paths, of which every kind of segment differs.
TEST_F(RoutesTest, FewRoutesWhateverIsAskedFor) {
    Routes routes({}, false);
    const char* const kWords[] = {"apple",  "banana", "cherry", "dragon",  "eagle",  "forest", "garden",
                                  "harbor", "island", "jungle", "kitchen", "lemon",  "market", "nature",
                                  "ocean",  "planet", "quiet",  "river",   "summer", "travel"};
    std::set<std::string> found;
    for (int i = 0; i < 100'000; ++i) {
        const std::string path = std::string("/") + kWords[i % 20] + "/" + kWords[i / 20 % 20] + "/" +
                                 kWords[i / 400 % 20] + "/" + kWords[i / 8000 % 20] +
                                 (i % 3 == 0 ? "/" + std::to_string(i) : "");
        found.insert(route(routes, path, i % 7 == 0 ? 200 : 404));
    }
    EXPECT_LE(found.size(), 1000u);
    // By now all of it is known to be no name, and what a person asks for is still a route.
    std::set<std::string> later;
    for (int i = 0; i < 10'000; ++i)
        later.insert(route(
            routes, "/" + std::string(kWords[i % 20]) + "/x" + std::to_string(i) + "/" + kWords[i / 20 % 20], 404));
    EXPECT_LE(later.size(), 100u);
}

TEST_F(RoutesTest, KeepsConfirmedNamesUnderAScanner) {
    Routes routes({}, false);
    EXPECT_EQ(route(routes, "/cart"), "/cart");
    EXPECT_EQ(route(routes, "/orders"), "/orders");
    const char* const kProbes[] = {"admin",  "backup", "config",  "console", "debug", "deploy", "editor",
                                   "portal", "panel",  "manager", "private", "shell", "system", "upload"};
    for (const char* probe : kProbes) route(routes, std::string("/") + probe, 404);
    EXPECT_EQ(route(routes, "/cart"), "/cart");
    EXPECT_EQ(route(routes, "/orders"), "/orders");
    EXPECT_EQ(route(routes, "/phpmyadmin", 404), "/*");
    EXPECT_EQ(route(routes, "/basket", 200), "/basket");
}

TEST_F(RoutesTest, ServicesHaveRoutesOfTheirOwn) {
    Routes routes({.max_path_segment_cardinality = 2}, false);
    for (const char* path : {"/apple", "/banana", "/cherry", "/dragon"}) route(routes, path);
    EXPECT_EQ(route(routes, "/apple"), "/*");
    shop_ = resource("till");
    EXPECT_EQ(route(routes, "/apple"), "/apple");
    // Very many services: the one not heard of for longest is forgotten.
    for (int i = 0; i < 2000; ++i) {
        shop_ = resource("service-" + std::to_string(i));
        route(routes, "/apple");
    }
    EXPECT_EQ(route(routes, "/apple"), "/apple");
}

}  // namespace
}  // namespace waggle::decorate
