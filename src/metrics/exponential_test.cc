// SPDX-License-Identifier: Apache-2.0
#include "metrics/exponential.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>

#include "metrics/merge.h"

namespace waggle::metrics {
namespace {

std::uint64_t sum_of(const ExponentialPoint& point) {
    return std::accumulate(point.counts.begin(), point.counts.end(), point.zero_count);
}

double lower_bound_of(std::int64_t index, std::int32_t scale) {
    return std::exp2(std::ldexp(static_cast<double>(index), -scale));
}

TEST(ExponentialHistogram, IndexIsBetweenItsBounds) {
    std::mt19937 random(1);
    std::lognormal_distribution<double> values(0, 5);
    for (std::int32_t scale = -4; scale <= 10; ++scale)
        for (int i = 0; i < 1000; ++i) {
            const double value = values(random);
            const std::int64_t index = ExponentialHistogram::index_of(value, scale);
            EXPECT_LE(lower_bound_of(index, scale), value * (1 + 1e-9)) << value << " " << scale;
            EXPECT_GE(lower_bound_of(index + 1, scale), value * (1 - 1e-9)) << value << " " << scale;
        }
}

TEST(ExponentialHistogram, PowersOfTwoEndTheirBucket) {
    for (std::int32_t scale = 0; scale <= 20; ++scale)
        for (int exponent = -20; exponent <= 20; ++exponent)
            EXPECT_EQ(ExponentialHistogram::index_of(std::ldexp(1.0, exponent), scale),
                      (std::int64_t{exponent} << scale) - 1);
    EXPECT_EQ(ExponentialHistogram::index_of(4, -1), 0);
    EXPECT_EQ(ExponentialHistogram::index_of(4.1, -1), 1);
    EXPECT_EQ(ExponentialHistogram::index_of(1, -1), -1);
}

TEST(ExponentialHistogram, StaysWithinSizeAndCountsAll) {
    std::mt19937 random(2);
    std::lognormal_distribution<double> values(-3, 4);
    ExponentialHistogram histogram(20, 160);
    for (std::uint64_t i = 1; i <= 5000; ++i) {
        histogram.record(values(random));
        ASSERT_LE(histogram.point().counts.size(), 160u);
        ASSERT_EQ(sum_of(histogram.point()), i);
    }
    EXPECT_GT(histogram.point().scale, 0);
}

TEST(ExponentialHistogram, HoldsTheWholeRangeOfDoubles) {
    ExponentialHistogram histogram(20, 160);
    for (const double value : {5e-324, 1e-300, 1.0, 1e300, 1.7e308, 0.0}) histogram.record(value);
    EXPECT_EQ(sum_of(histogram.point()), 6u);
    EXPECT_EQ(histogram.point().zero_count, 1u);
    EXPECT_LE(histogram.point().counts.size(), 160u);
}

TEST(ExponentialHistogram, OneValueIsAtTheFinestScale) {
    ExponentialHistogram histogram(20, 160);
    histogram.record(0.02);
    histogram.record(0.02);
    EXPECT_EQ(histogram.point().scale, 20);
    EXPECT_EQ(histogram.point().counts, std::vector<std::uint64_t>{2});
}

TEST(ExponentialHistogram, DownscaleEqualsRecordingAtThatScale) {
    std::mt19937 random(3);
    std::lognormal_distribution<double> values(0, 1);
    ExponentialHistogram fine(6, 4000);
    ExponentialHistogram coarse(2, 4000);
    for (int i = 0; i < 1000; ++i) {
        const double value = values(random);
        fine.record(value);
        coarse.record(value);
    }
    ExponentialPoint point = fine.point();
    ASSERT_EQ(point.scale, 6);
    downscale(point, 4);
    EXPECT_EQ(point.scale, 2);
    EXPECT_EQ(point.offset, coarse.point().offset);
    EXPECT_EQ(point.counts, coarse.point().counts);
}

TEST(ExponentialHistogram, MergeKeepsCountsAndBounds) {
    std::mt19937 random(4);
    std::lognormal_distribution<double> values(0, 2);
    ExponentialHistogram low(20, 160);
    ExponentialHistogram high(20, 160);
    for (int i = 0; i < 500; ++i) {
        low.record(values(random) * 1e-6);
        high.record(values(random) * 1e6);
    }
    high.record(0);
    Point into;
    into.histogram = {.count = 500, .sum = 1, .min = 0, .max = 1, .exponential = low.point()};
    Point from;
    from.histogram = {.count = 501, .sum = 2, .min = 0, .max = 9, .exponential = high.point()};
    merge(into, from, 160);
    EXPECT_EQ(into.histogram.count, 1001u);
    EXPECT_EQ(into.histogram.sum, 3);
    EXPECT_EQ(into.histogram.max, 9);
    EXPECT_EQ(sum_of(*into.histogram.exponential), 1001u);
    EXPECT_LE(into.histogram.exponential->counts.size(), 160u);
}

TEST(ExponentialHistogram, ClearIsLikeNew) {
    ExponentialHistogram histogram(20, 160);
    histogram.record(1e-5);
    histogram.record(1e5);
    histogram.clear();
    histogram.record(3);
    EXPECT_EQ(histogram.point().scale, 20);
    EXPECT_EQ(sum_of(histogram.point()), 1u);
}

}  // namespace
}  // namespace waggle::metrics
