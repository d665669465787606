// SPDX-License-Identifier: Apache-2.0
#include "agent/stop.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace waggle::agent {
namespace {

struct StopTest : ::testing::Test {
    StopTest() {
        std::string pattern = ::testing::TempDir() + "stop-XXXXXX";
        root = ::mkdtemp(pattern.data());
    }
    ~StopTest() override { std::filesystem::remove_all(root); }

    void add(int pid, const std::string& comm, const std::vector<std::string>& threads) {
        const std::filesystem::path process = root / std::to_string(pid);
        int number = pid;
        for (const std::string& thread : threads) {
            std::filesystem::create_directories(process / "task" / std::to_string(number));
            std::ofstream(process / "task" / std::to_string(number++) / "comm") << thread << "\n";
        }
        std::ofstream(process / "comm") << comm << "\n";
    }

    std::filesystem::path root;
};

TEST_F(StopTest, KnowsAgentsByTheirThreads) {
    add(10, "waggle", {"waggle", "pipeline", "reader", "reader"});
    add(11, "waggle", {"waggle"});  // waggle doctor
    add(12, "other", {"other", "pipeline", "reader"});
    add(13, "waggle", {"waggle", "pipeline", "reader", "server"});
    EXPECT_EQ(running_agents(proc::ProcFs(root), "waggle"), (std::vector<std::uint32_t>{10, 13}));
}

TEST(Stop, LeavesOtherProcessesAlone) {
    const Stopped stopped = stop_agent({}, static_cast<std::uint32_t>(::getppid()), std::chrono::milliseconds(0));
    EXPECT_EQ(stopped.outcome, StopOutcome::Failed);
    EXPECT_NE(stopped.text.find("is no running agent"), std::string::npos) << stopped.text;
}

}  // namespace
}  // namespace waggle::agent
