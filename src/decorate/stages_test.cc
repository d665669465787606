// SPDX-License-Identifier: Apache-2.0
// Service and Filter, and the fields that filters ask for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "decorate/fields.h"
#include "decorate/filter.h"
#include "decorate/service.h"
#include "spans/attribute_names.h"

namespace waggle::decorate {
namespace {

using config::AttributeFilter;
using spans::Span;
using spans::SpanKind;
using testing::ElementsAre;
using testing::HasSubstr;

spans::ResourcePtr shop() {
    auto made = std::make_shared<spans::Resource>();
    made->service_name = "shop";
    made->service_namespace = "eu";
    made->instance_id = "host:5";
    made->language = "go";
    made->attributes = {{"host.name", "host"}, {"process.pid", "5"}};
    return made;
}

std::string field(const Span& span, std::string_view name) {
    const Field* found = find_field(name);
    if (found == nullptr) return "no such field";
    FieldText storage;
    return std::string(field_of(span, *found, storage));
}

TEST(Fields, ByEitherNotation) {
    EXPECT_EQ(find_field("http.route"), find_field("http_route"));
    EXPECT_NE(find_field("http.route"), nullptr);
    EXPECT_EQ(find_field("http.rout"), nullptr);
    EXPECT_EQ(find_field(""), nullptr);
}

TEST(Fields, OfHowSureASpanIs) {
    Span span;
    span.incomplete = spans::Incomplete::Closed;
    span.parent_source = spans::ParentSource::Exact;
    span.has_unknown_role = true;
    EXPECT_EQ(field(span, "waggle.incomplete"), "connection_closed");
    EXPECT_EQ(field(span, "waggle_parent"), "exact");
    EXPECT_EQ(field(span, "waggle.role"), "unknown");
    EXPECT_EQ(field(Span{}, "waggle.incomplete"), "");
    EXPECT_EQ(field(Span{}, "waggle.role"), "");
}

TEST(Fields, OfSpanResourceAndBothEnds) {
    Span span;
    span.kind = SpanKind::Server;
    span.name = "GET /x";
    span.resource = shop();
    span.attributes.add(attr::client_address, std::string_view("10.0.0.1"));
    span.attributes.add(attr::http_response_status_code, std::int64_t{404});
    EXPECT_EQ(field(span, "http.response.status_code"), "404");
    EXPECT_EQ(field(span, "process_pid"), "5");
    EXPECT_EQ(field(span, "service.name"), "shop");
    EXPECT_EQ(field(span, "server"), "shop");
    EXPECT_EQ(field(span, "client"), "10.0.0.1");
    EXPECT_EQ(field(span, "server.service.namespace"), "eu");
    EXPECT_EQ(field(span, "client_service_namespace"), "");
    EXPECT_EQ(field(span, "span.kind"), "SPAN_KIND_SERVER");
    EXPECT_EQ(field(span, "status_code"), "STATUS_CODE_UNSET");
    EXPECT_EQ(field(span, "telemetry.sdk.language"), "go");
    EXPECT_EQ(field(span, "url.query"), "");
    span.kind = SpanKind::Client;
    EXPECT_EQ(field(span, "client"), "shop");
    EXPECT_EQ(field(span, "server"), "");
}

std::vector<std::string> kept(const std::map<std::string, AttributeFilter>& rules) {
    auto filter = Filter::create(rules);
    if (!filter) return {filter.error().message};
    spans::SpanBatch batch;
    for (const char* path : {"/users/1", "/health", "/users/2", ""}) {
        Span& span = batch.add();
        span.name = path;
        span.kind = SpanKind::Server;
        span.resource = shop();
        if (*path != 0) span.attributes.add(attr::url_path, std::string_view(path));
    }
    (*filter)->apply(batch);
    std::vector<std::string> names;
    for (const Span& span : batch) names.emplace_back(span.name);
    return names;
}

TEST(Filter, MatchAndNotMatch) {
    EXPECT_THAT(kept({}), ElementsAre("/users/1", "/health", "/users/2", ""));
    EXPECT_THAT(kept({{"url_path", {.match = "/users/*"}}}), ElementsAre("/users/1", "/users/2"));
    EXPECT_THAT(kept({{"url.path", {.not_match = "/users/[12]"}}}), ElementsAre("/health", ""));
    EXPECT_THAT(kept({{"url.path", {.match = "/{health,users/?}"}}, {"service_name", {.match = "shop"}}}),
                ElementsAre("/users/1", "/health", "/users/2"));
    EXPECT_THAT(kept({{"url.path", {.match = "/users/*"}}, {"span.kind", {.not_match = "*SERVER"}}}), ElementsAre());
    // What a span does not have is an empty text.
    EXPECT_THAT(kept({{"url.path", {.match = ""}}}), ElementsAre(""));
}

TEST(Filter, RefusesWhatCannotBeMeant) {
    EXPECT_THAT(kept({{"url.paht", {.match = "x"}}}), ElementsAre(HasSubstr("no span has this attribute")));
    EXPECT_THAT(kept({{"url.path", {}}}), ElementsAre(HasSubstr("either match or not_match")));
    EXPECT_THAT(kept({{"url.path", {.match = "a", .not_match = "b"}}}),
                ElementsAre(HasSubstr("either match or not_match")));
}

class ServiceTest : public testing::Test {
  protected:
    using Known = Service::Known;
    static constexpr std::uint64_t kTick = 10'000'000;
    static constexpr std::uint64_t kSecond = 1'000'000'000;
    static std::shared_ptr<const discover::TargetTable> table() {
        auto target = std::make_shared<discover::Target>();
        target->pid = 5;
        target->start_ns = 7 * kTick;
        target->resource = shop();
        return std::make_shared<const discover::TargetTable>(
            std::vector<std::shared_ptr<const discover::Target>>{target});
    }
    void add(std::uint32_t pid, std::uint64_t start_ns) { batch_.add().process = {pid, start_ns}; }
    std::vector<std::string> services() const {
        std::vector<std::string> names;
        for (const Span& span : batch_) names.push_back(span.resource->service_name);
        return names;
    }
    spans::SpanBatch batch_;
};

TEST_F(ServiceTest, ByProcessAndItsStart) {
    Service service([] { return table(); });
    add(5, 7 * kTick + 12345);
    add(5, 0);
    EXPECT_EQ(service.knows(batch_, 7 * kTick + kSecond - 1), Known::Young);
    EXPECT_EQ(service.knows(batch_, 7 * kTick + kSecond), Known::Yes);
    add(5, 8 * kTick);
    add(6, 7 * kTick);
    add(0, 0);
    add(5, 7 * kTick);
    EXPECT_EQ(service.knows(batch_, 8 * kTick), Known::No);
    service.apply(batch_);
    EXPECT_THAT(services(), ElementsAre("shop", "shop", "shop"));
    EXPECT_EQ(service.unowned(), 3u);
}

TEST_F(ServiceTest, LeavesWhatHasOne) {
    Service service([] { return nullptr; });
    add(6, 0);
    batch_.begin()->resource = shop();
    EXPECT_EQ(service.knows(batch_, 8 * kTick), Known::Yes);
    service.apply(batch_);
    EXPECT_THAT(services(), ElementsAre("shop"));
    batch_.clear();
    add(6, 0);
    EXPECT_EQ(service.knows(batch_, 8 * kTick), Known::No);
}

}  // namespace
}  // namespace waggle::decorate
