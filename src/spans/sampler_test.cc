// SPDX-License-Identifier: Apache-2.0
#include "spans/sampler.h"

#include <gtest/gtest.h>

namespace waggle::spans {
namespace {

Span root_span(std::uint64_t seed) {
    Span span;
    span.trace_id = IdSource(seed).trace_id();
    return span;
}

TEST(Sampler, RejectsUnknownNamesAndArguments) {
    EXPECT_FALSE(Sampler::from("sometimes", ""));
    EXPECT_FALSE(Sampler::from("parentbased_", ""));
    EXPECT_FALSE(Sampler::from("traceidratio", "2"));
    EXPECT_FALSE(Sampler::from("traceidratio", "-0.1"));
    EXPECT_FALSE(Sampler::from("traceidratio", "nan"));
    EXPECT_FALSE(Sampler::from("traceidratio", "0.5x"));
}

TEST(Sampler, RatioIsKept) {
    const auto sampler = Sampler::from("traceidratio", "0.25");
    int sampled = 0;
    for (std::uint64_t i = 0; i < 10000; ++i) sampled += sampler->is_sampled(root_span(i));
    EXPECT_NEAR(sampled, 2500, 200);
}

TEST(Sampler, RatioEndsAreAlwaysAndNever) {
    EXPECT_TRUE(Sampler::from("traceidratio", "1")->is_sampled(root_span(1)));
    EXPECT_TRUE(Sampler::from("traceidratio", "")->is_sampled(root_span(1)));
    EXPECT_FALSE(Sampler::from("traceidratio", "0")->is_sampled(root_span(1)));
}

TEST(Sampler, ParentBasedHonoursTheRemoteFlag) {
    Span span = root_span(1);
    span.parent_source = ParentSource::Header;
    span.flags = 0;
    EXPECT_FALSE(Sampler().is_sampled(span));
    EXPECT_TRUE(Sampler::from("always_on", "")->is_sampled(span));
    span.flags = kSampled;
    EXPECT_TRUE(Sampler::from("parentbased_always_off", "")->is_sampled(span));
    EXPECT_FALSE(Sampler::from("always_off", "")->is_sampled(span));
}

TEST(Sampler, ChildrenOfARemoteTraceFollowItsFlag) {
    Span span = root_span(1);
    span.parent_source = ParentSource::Thread;
    span.has_remote_root = true;
    EXPECT_TRUE(Sampler::from("parentbased_always_off", "")->is_sampled(span));
}

TEST(Sampler, SpansOfALocalTraceAgree) {
    const auto sampler = Sampler::from("parentbased_traceidratio", "0.5");
    for (std::uint64_t i = 0; i < 100; ++i) {
        Span child = root_span(i);
        child.parent_source = ParentSource::Thread;
        EXPECT_EQ(sampler->is_sampled(root_span(i)), sampler->is_sampled(child));
    }
}

}  // namespace
}  // namespace waggle::spans
