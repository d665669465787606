// SPDX-License-Identifier: Apache-2.0
// The kernel's side with the maps of another number of processors than there are.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "base/clock.h"
#include "sensors/capture.h"

namespace waggle::sensors {
namespace {

constexpr int kCalls = 200;

// A connection over loopback, both ends this process's.
void talk() {
    const Fd listener(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    ASSERT_EQ(::listen(listener.get(), 1), 0);
    ASSERT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
    const Fd client(::socket(AF_INET, SOCK_STREAM, 0));
    ASSERT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    const Fd server(::accept(listener.get(), nullptr, nullptr));
    for (int i = 0; i < kCalls; ++i) {
        char text[16] = "GET / HTTP/1.1";
        ASSERT_EQ(::send(client.get(), text, sizeof(text), 0), static_cast<ssize_t>(sizeof(text)));
        ASSERT_EQ(::recv(server.get(), text, sizeof(text), MSG_WAITALL), static_cast<ssize_t>(sizeof(text)));
    }
}

struct Seen {
    std::uint64_t emitted = 0;
    std::uint64_t read = 0;
    std::uint64_t interrupted = 0;
};

Seen run(std::uint32_t cpus, std::uint32_t rings) {
    std::vector<SensorReport> reports;
    auto capture = Capture::start({.ring_bytes = 1u << 20, .rings = rings, .cpus = cpus, .has_tls = false}, reports);
    EXPECT_TRUE(capture) << capture.error().message;
    if (!capture) return {};
    EXPECT_EQ((*capture)->rings(), rings);
    (*capture)->beat(monotonic_now());
    EXPECT_TRUE((*capture)->set_target(static_cast<std::uint32_t>(::getpid()),
                                       wg_target{.flags = WG_TARGET_SELECTED, .padding = 0}));
    (*capture)->publish_targets();
    talk();
    Seen seen;
    for (std::size_t ring = 0; ring < rings; ++ring) {
        auto reader = RingReader::open((*capture)->ring_fd(ring), RingReader::Woken::WhenAsked,
                                       [&](std::span<const std::byte>) { ++seen.read; });
        EXPECT_TRUE(reader);
        if (reader) (*reader)->consume();
    }
    const auto counters = (*capture)->counters();
    seen.emitted = counters[WG_COUNT_EVENTS];
    seen.interrupted = counters[WG_COUNT_SCRATCH_BUSY];
    return seen;
}

TEST(Cpus, MapsForManyMoreThanThereAre) {
    const Seen seen = run(128, 4);
    EXPECT_GE(seen.emitted, 2 * kCalls);
    EXPECT_EQ(seen.read, seen.emitted);
    EXPECT_EQ(seen.interrupted, 0u);
}

TEST(Cpus, MapsForOneTellOfWhatHadNoPlace) {
    // Calls on a processor that no place was made for are counted.
    const Seen seen = run(1, 1);
    EXPECT_GE(seen.emitted + seen.interrupted, 2 * kCalls);
    EXPECT_EQ(seen.read, seen.emitted);
}

}  // namespace
}  // namespace waggle::sensors
