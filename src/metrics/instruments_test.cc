// SPDX-License-Identifier: Apache-2.0
#include "metrics/instruments.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>

#include "metrics/series.h"

namespace waggle::metrics {
namespace {

TEST(Instruments, RowsAreWhole) {
    for (const Profile profile : {Profile::Otel, Profile::Beyla}) {
        std::set<std::string_view> names;
        for (const Instrument& instrument : instruments()) {
            const Shape& shape = instrument.shape(profile);
            if (shape.name.empty()) continue;
            EXPECT_TRUE(names.insert(shape.name).second) << shape.name;
            EXPECT_EQ(instrument.when == nullptr, instrument.value == nullptr) << shape.name;
            EXPECT_EQ(instrument.kind == Kind::Histogram, !shape.bounds.empty()) << shape.name;
            EXPECT_LE(shape.attributes.size(), AttributeSet::kMax);
            EXPECT_FALSE(instrument.description.empty()) << shape.name;
        }
    }
}

TEST(Instruments, DocumentIsFresh) {
    const std::string path = WAGGLE_SOURCE_DIR "/docs/metrics.md";
    if (std::getenv("WAGGLE_UPDATE_DOCS")) std::ofstream(path) << instruments_markdown();
    std::ifstream file(path);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    EXPECT_EQ(text, instruments_markdown()) << "run this test with WAGGLE_UPDATE_DOCS=1";
}

}  // namespace
}  // namespace waggle::metrics
