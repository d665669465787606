// SPDX-License-Identifier: Apache-2.0
#include "sensors/releaser.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>

namespace waggle::sensors {
namespace {

ProbeLinks links(std::size_t count) {
    ProbeLinks some;
    for (std::size_t i = 0; i < count; ++i) some.multi.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    return some;
}

// As the kernel does it: it takes until `may_go`.
class Slow {
  public:
    Releaser::Release release() {
        return [this](ProbeLinks& some) {
            const std::size_t count = some.size();
            if (gone == 0) begun.count_down();
            may_go.wait();
            some.release();
            gone += count;
        };
    }
    std::latch begun{1};
    std::latch may_go{1};
    std::atomic<std::size_t> gone = 0;
};

TEST(Releaser, NobodyWaits) {
    Slow slow;
    Releaser releaser(slow.release());
    releaser.add(links(1));
    slow.begun.wait();  // on its own thread, or this one would wait now
    releaser.add(links(10));
    EXPECT_EQ(slow.gone, 0u);
    slow.may_go.count_down();
    releaser.finish();
    EXPECT_EQ(slow.gone, 11u);
}

// What a stop has to wait for is bounded.
TEST(Releaser, BeyondItsBoundTheyGoAtOnce) {
    Slow slow;
    Releaser releaser(slow.release());
    releaser.add(links(1));
    slow.begun.wait();
    for (std::size_t i = 1; i < Releaser::kMost; ++i) releaser.add(links(1));
    EXPECT_EQ(slow.gone, 0u);
    std::jthread other([&] {
        releaser.add(links(1));
        EXPECT_GT(slow.gone, 0u);
    });
    slow.may_go.count_down();
    other.join();
    releaser.finish();
    EXPECT_EQ(slow.gone, Releaser::kMost + 1);
}

TEST(Releaser, AfterItsEndTheyGoAtOnce) {
    std::size_t gone = 0;
    Releaser releaser([&](ProbeLinks& some) { gone += some.size(); });
    releaser.finish();
    releaser.add(links(3));
    releaser.add({});
    releaser.finish();
    EXPECT_EQ(gone, 3u);
}

TEST(Releaser, FewGoTogether) {
    ProbeLinks all = links(10);
    const ProbeLinks some = all.take_some();
    EXPECT_EQ(some.size(), ProbeLinks::kMultiAtOnce);
    EXPECT_EQ(all.size(), 10 - ProbeLinks::kMultiAtOnce);
    all.add(links(1));
    while (all.size() > 0) all.take_some().release();
}

}  // namespace
}  // namespace waggle::sensors
