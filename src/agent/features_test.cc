// SPDX-License-Identifier: Apache-2.0
#include "agent/features.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "agent/host_facts.h"

namespace waggle::agent {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

CapabilitySet set_of(std::initializer_list<std::string_view> names) {
    std::uint64_t bits = 0;
    for (const Capability& capability : capabilities())
        for (const std::string_view name : names)
            if (capability.name == name) bits |= std::uint64_t{1} << capability.bit;
    return CapabilitySet(bits);
}

const FeatureState& state_of(const std::vector<FeatureState>& states, std::string_view name) {
    for (const FeatureState& state : states)
        if (state.feature->name == name) return state;
    throw std::out_of_range(std::string(name));
}

class Features : public testing::Test {
  protected:
    std::vector<std::string_view> missing(const CapabilitySet& set) const {
        return missing_capabilities(judge(around_, set));
    }
    config::Config config_;
    Surroundings around_{.config = config_, .kernel = {6, 18}};
};

TEST_F(Features, EveryNeedIsAKnownCapability) {
    for (const Feature& feature : features()) {
        EXPECT_THAT(feature.needs, Not(IsEmpty())) << feature.name;
        for (const std::string_view name : feature.needs) {
            EXPECT_TRUE(set_of({name}).has(name)) << name;
            EXPECT_NE(name, "CAP_SYS_ADMIN");
        }
    }
}

TEST_F(Features, FourCapabilitiesAreEnough) {
    EXPECT_THAT(missing(set_of({"CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"})), IsEmpty());
    EXPECT_THAT(missing(set_of({})),
                UnorderedElementsAre("CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"));
}

TEST_F(Features, SysAdminStandsForTwo) {
    const CapabilitySet admin(std::uint64_t{1} << 21);
    EXPECT_THAT(missing(admin), UnorderedElementsAre("CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"));
}

TEST_F(Features, WhatIsMissingCostsItsFeatureOnly) {
    const auto states = judge(around_, set_of({"CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE"}));
    EXPECT_TRUE(state_of(states, "requests").is_available());
    EXPECT_TRUE(state_of(states, "other users' programs").is_available());
    EXPECT_THAT(state_of(states, "other users' names for their services").missing, ElementsAre("CAP_DAC_READ_SEARCH"));
}

TEST_F(Features, MessagesNameFeatureCapabilityAndCure) {
    const auto lines = privilege_messages(judge(around_, set_of({"CAP_BPF", "CAP_PERFMON", "CAP_DAC_READ_SEARCH"})));
    EXPECT_THAT(lines, Contains(HasSubstr("other users' programs: without CAP_SYS_PTRACE of other users' processes")));
    // A grant replaces the set: the message has all of it.
    EXPECT_THAT(lines.back(), HasSubstr("AmbientCapabilities=CAP_BPF CAP_PERFMON CAP_SYS_PTRACE CAP_DAC_READ_SEARCH"));
    EXPECT_THAT(lines.back(), HasSubstr("--cap-add SYS_PTRACE"));
    EXPECT_THAT(lines.back(), HasSubstr("setcap cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search=ep"));
    EXPECT_THAT(privilege_messages(judge(around_, CapabilitySet(~std::uint64_t{0}))), IsEmpty());
}

TEST_F(Features, ConditionsDecideWhatIsWanted) {
    const CapabilitySet four = set_of({"CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"});
    config_.prometheus.port = 80;
    EXPECT_THAT(missing(four), ElementsAre("CAP_NET_BIND_SERVICE"));
    around_.first_free_port = 80;
    EXPECT_THAT(missing(four), IsEmpty());
    around_.kernel = {5, 10};
    EXPECT_THAT(missing(four), ElementsAre("CAP_SYS_RESOURCE"));
    around_.kernel = {5, 11};
    EXPECT_THAT(missing(four), IsEmpty());
}

TEST_F(Features, AFeatureNeedsItsSensor) {
    const std::vector<sensors::SensorReport> reports = {
        {.name = "sockets", .state = sensors::SensorState::Active, .chosen = "tp_btf"},
        {.name = "io_uring", .state = sensors::SensorState::Unavailable}};
    around_.sensors = reports;
    const auto states = judge(around_, CapabilitySet(~std::uint64_t{0}));
    EXPECT_TRUE(state_of(states, "io_uring").is_lost());
    EXPECT_TRUE(state_of(states, "requests").is_available());
    EXPECT_FALSE(state_of(states, "requests by kernel probes").is_wanted);
}

TEST_F(Features, WhatTheHookCannotDoIsSaidAndNothingIsMissing) {
    std::vector<sensors::SensorReport> reports = {
        {.name = "sockets", .state = sensors::SensorState::Degraded, .chosen = "fentry_plain"}};
    around_.sensors = reports;
    const CapabilitySet all(~std::uint64_t{0});
    auto states = judge(around_, all);
    EXPECT_FALSE(state_of(states, "DNS over UDP").is_available());
    EXPECT_FALSE(state_of(states, "DNS over UDP").is_lost());
    EXPECT_THAT(hook_messages(states),
                ElementsAre(HasSubstr("DNS over UDP: names that are asked for over UDP are not seen"),
                            HasSubstr("every message of long calls: ")));
    reports[0] = {.name = "sockets", .state = sensors::SensorState::Active, .chosen = "tp_btf"};
    states = judge(around_, all);
    EXPECT_TRUE(state_of(states, "DNS over UDP").is_available());
    EXPECT_THAT(hook_messages(states), IsEmpty());
}

TEST_F(Features, ProbesAreWantedOnlyWhereNothingElseIsLeft) {
    std::vector<sensors::SensorReport> reports = {
        {.name = "sockets", .reasons = {"tp_btf: Operation not permitted", "kprobe: Operation not permitted"}}};
    const CapabilitySet none = set_of({});
    const auto is_wanted = [&] {
        around_.sensors = reports;
        return state_of(judge(around_, none), "requests by kernel probes").is_wanted;
    };
    EXPECT_FALSE(is_wanted());
    reports[0].lacks_tracefs = true;
    EXPECT_TRUE(is_wanted());
    reports[0].chosen = "tp_btf";
    EXPECT_FALSE(is_wanted());
    reports[0].chosen = "kprobe";
    EXPECT_TRUE(is_wanted());
}

TEST_F(Features, WhenNothingCanWorkOnlyThatIsSaid) {
    const auto lines = privilege_messages(judge(around_, set_of({"CAP_BPF"})));
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_THAT(lines[0], HasSubstr("requests: without CAP_PERFMON no request is seen"));
}

TEST_F(Features, WithoutTheSocketsNothingElseIsThere) {
    const std::vector<sensors::SensorReport> reports = {{.name = "sockets"}};
    around_.sensors = reports;
    const auto states = judge(around_, CapabilitySet(~std::uint64_t{0}));
    EXPECT_TRUE(state_of(states, "requests").is_lost());
    EXPECT_TRUE(state_of(states, "new processes at once").is_lost());
    EXPECT_FALSE(state_of(states, "other users' programs").is_lost());
}

TEST(HostFacts, TheWordInBrackets) {
    EXPECT_EQ(chosen_word("none [integrity] confidentiality"), "integrity");
    EXPECT_EQ(chosen_word("[none] integrity"), "none");
    EXPECT_EQ(chosen_word(""), "");
    EXPECT_EQ(chosen_word("]["), "");
}

// The tables stand between two marks; the rest is written by hand.
TEST(PrivilegesDocument, IsFresh) {
    const std::string path = WAGGLE_SOURCE_DIR "/docs/privileges.md";
    const std::string begin = "<!-- printed from src/agent/features.cc -->\n";
    const std::string end = "<!-- end -->\n";
    std::ifstream file(path);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const std::size_t from = text.find(begin);
    const std::size_t to = text.find(end);
    ASSERT_NE(from, std::string::npos);
    ASSERT_NE(to, std::string::npos);
    const std::string fresh = text.substr(0, from + begin.size()) + privileges_markdown() + text.substr(to);
    if (std::getenv("WAGGLE_UPDATE_DOCS"))
        std::ofstream(path) << fresh;
    else
        EXPECT_EQ(text, fresh) << "run this test with WAGGLE_UPDATE_DOCS=1";
}

}  // namespace
}  // namespace waggle::agent
