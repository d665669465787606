// SPDX-License-Identifier: Apache-2.0
#include "protocols/held.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace waggle::protocols {
namespace {

struct Hash {
    std::size_t operator()(int key) const { return static_cast<std::size_t>(key) % 7; }  // chains of some length
};
using Numbers = Held<int, int, Hash>;

TEST(Held, GivesTheNewestValueOfAKey) {
    Numbers held(100, 8);
    EXPECT_EQ(held.find(1), nullptr);
    held.add(1, 10, 1000);
    held.add(8, 80, 1001);
    held.add(1, 11, 1002);
    ASSERT_NE(held.find(1), nullptr);
    EXPECT_EQ(*held.find(1), 11);
    EXPECT_EQ(*held.find(8), 80);
    held.erase(1);
    EXPECT_EQ(held.find(1), nullptr);
    EXPECT_EQ(held.size(), 1u);
}

TEST(Held, DropsWhatIsOldAndWhatIsTooMuch) {
    Numbers held(100, 4);
    for (int i = 0; i < 6; ++i) held.add(i, i, 1000 + static_cast<std::uint64_t>(i));
    EXPECT_EQ(held.find(1), nullptr);
    ASSERT_NE(held.find(2), nullptr);
    held.expire(1104);
    EXPECT_EQ(held.find(3), nullptr);
    ASSERT_NE(held.find(4), nullptr);
    held.expire(2000);
    EXPECT_EQ(held.size(), 0u);
}

TEST(Held, IsVisitedFromACursorOn) {
    Numbers held(100, 4);
    std::uint64_t cursor = 0;
    std::vector<int> seen;
    const auto until = [&](int last) {
        seen.clear();
        held.visit(cursor, [&](int key, std::uint64_t) {
            if (key == last) return false;
            seen.push_back(key);
            return true;
        });
        return seen;
    };
    for (int i = 0; i < 3; ++i) held.add(i, i, 1000);
    EXPECT_EQ(until(1), std::vector<int>{0});
    held.erase(1);
    EXPECT_EQ(until(-1), std::vector<int>{2});
    for (int i = 3; i < 9; ++i) held.add(i, i, 1000);  // 3 and 4 are dropped before they were seen
    EXPECT_EQ(until(8), (std::vector<int>{5, 6, 7}));
    EXPECT_EQ(until(-1), std::vector<int>{8});
}

TEST(Held, IsAMapWhateverIsDone) {
    std::mt19937 random(1);
    Numbers held(UINT64_MAX / 2, 1 << 12);
    std::map<int, int> expected;
    for (int i = 0; i < 4000; ++i) {
        const int key = static_cast<int>(random() % 200);
        if (random() % 3 == 0) {
            held.erase(key);
            expected.erase(key);
        } else {
            held.add(key, i, static_cast<std::uint64_t>(i));
            expected[key] = i;
        }
        ASSERT_EQ(held.size(), expected.size());
        for (int k = 0; k < 200; k += 13) {
            const int* found = held.find(k);
            const auto wanted = expected.find(k);
            ASSERT_EQ(found != nullptr, wanted != expected.end());
            if (found) {
                ASSERT_EQ(*found, wanted->second);
            }
        }
    }
}

}  // namespace
}  // namespace waggle::protocols
