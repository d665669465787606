// SPDX-License-Identifier: Apache-2.0
#include "sensors/releaser.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>

namespace waggle::sensors {
namespace {

// Descriptors stand for links: is this one's file open anywhere still? A pipe's reader hears when its last writer goes.
class Released {
  public:
    Released() {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) throw std::runtime_error("no pipe");
        reader_ = Fd(ends[0]);
        writer_ = Fd(ends[1]);
    }
    ProbeLinks link() {
        ProbeLinks links;
        links.multi.push_back(std::move(writer_));
        return links;
    }
    bool is_gone() const {
        char byte;
        return ::read(reader_.get(), &byte, 1) == 0;
    }

  private:
    Fd reader_;
    Fd writer_;
};

TEST(Releaser, LetsGoByAndBy) {
    Releaser releaser;
    Released first;
    releaser.add(first.link());
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!first.is_gone() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    EXPECT_TRUE(first.is_gone());
}

TEST(Releaser, AllAreGoneAtItsEnd) {
    std::vector<Released> all(3 * Releaser::kMost);
    Releaser releaser;
    for (Released& one : all) releaser.add(one.link());
    releaser.finish();
    for (const Released& one : all) EXPECT_TRUE(one.is_gone());
    Released late;
    releaser.add(late.link());
    EXPECT_TRUE(late.is_gone());
    releaser.finish();
    releaser.add({});
}

}  // namespace
}  // namespace waggle::sensors
