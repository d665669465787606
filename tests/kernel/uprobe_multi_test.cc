// SPDX-License-Identifier: Apache-2.0
// Links of uprobe_multi on the running kernel.
#include "sensors/uprobe_multi.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "sensors/tls_probes.h"

namespace waggle::sensors {
namespace {

TEST(UprobeMulti, ALinkOfAProcessSeesItsThreadsAndNoOthers) {
    raise_memory_limit();
    SensorReport report;
    const auto sensor = load(tls_sensor(), {}, report);
    ASSERT_TRUE(sensor) << (report.reasons.empty() ? "" : report.reasons.front());
    ASSERT_EQ(report.chosen, "uprobe_multi");
    const int counter = sensor->program_fd("count_call");
    const int map = sensor->map_fd("calls_counted");
    ASSERT_TRUE(has_multi(counter));
    EXPECT_TRUE(sees_every_thread(counter, map, static_cast<std::uint32_t>(::getpid())));
    // What a kernel does that filters by something else: the calls are not seen.
    EXPECT_FALSE(sees_every_thread(counter, map, static_cast<std::uint32_t>(::getppid())));
}

TEST(UprobeMulti, WhereItDoesNotSeeEveryThreadProbesAreByPerfEvents) {
    raise_memory_limit();
    SensorReport report;
    const auto probes = TlsProbes::start({}, report, static_cast<std::uint32_t>(::getppid()));
    ASSERT_TRUE(probes);
    EXPECT_EQ(report.chosen, "uprobe");
    ASSERT_FALSE(report.reasons.empty());
    EXPECT_EQ(report.reasons.front(),
              "uprobe_multi: this kernel's sees one thread of a process only (6.6.33 and 6.9.4 do better)");
    EXPECT_FALSE(probes->can_share(1, {}));
}

}  // namespace
}  // namespace waggle::sensors
