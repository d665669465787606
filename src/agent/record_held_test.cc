// SPDX-License-Identifier: Apache-2.0
#include "agent/record_held.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <string>
#include <string_view>

#include "agent/record_format.h"
#include "bpf/abi/events.h"

namespace waggle::agent {
namespace {

constexpr std::uint32_t kOurs = 7;
constexpr std::uint32_t kNew = 8;

class HeldRecordsTest : public testing::Test {
  protected:
    void data(std::uint32_t pid, std::uint64_t time_ns, std::string_view payload, std::uint64_t connection = 1) {
        wg_data_event event{};
        event.head = {.type = WG_EVENT_DATA,
                      .version = WG_EVENT_VERSION,
                      .length = static_cast<std::uint32_t>(sizeof(event) + payload.size()),
                      .time_ns = time_ns};
        event.connection = connection;
        event.size = event.captured = static_cast<std::uint32_t>(payload.size());
        event.pid = pid;
        std::memcpy(event.tail, "tailtail", 8);
        std::string record(reinterpret_cast<const char*>(&event), sizeof(event));
        held_.push(0, record + std::string(payload));
    }
    void tick(std::uint64_t time_ns) {
        const wg_event tick{
            .type = WG_EVENT_TICK, .version = WG_EVENT_VERSION, .length = sizeof(tick), .time_ns = time_ns};
        held_.push(1, {reinterpret_cast<const char*>(&tick), sizeof(tick)});
    }
    void tail(std::uint64_t connection) {
        TailRecord record{};
        record.head = {.type = WG_EVENT_TAIL, .version = WG_EVENT_VERSION, .length = sizeof(record), .time_ns = 1};
        record.key.connection = connection;
        std::memcpy(record.tail.tail, "tailtail", 8);
        held_.push(0, {reinterpret_cast<const char*>(&record), sizeof(record)});
    }
    // What was written since the last time, a record each: its type, and whether "tail" or a payload is in it.
    std::string written() {
        std::string all;
        for (const std::string& record : std::exchange(records_, {})) {
            wg_event head;
            std::memcpy(&head, record.data(), sizeof(head));
            EXPECT_EQ(head.length, record.size());
            all += head.type == WG_EVENT_DATA ? 'd' : head.type == WG_EVENT_TAIL ? 't' : '.';
            if (record.contains("tail")) all += '+';
            if (head.type == WG_EVENT_DATA) all += record.substr(sizeof(wg_data_event));
        }
        return all;
    }

    std::set<std::uint32_t> selected_{kOurs};
    std::vector<std::string> records_;
    HeldRecords held_{
        [this](const spans::ProcessKey& process) { return selected_.contains(process.pid); },
        [this](std::uint32_t, std::span<const char> record) { records_.emplace_back(record.begin(), record.end()); }};
};

TEST_F(HeldRecordsTest, WhatIsSelectedGoesOnAtOnce) {
    data(kOurs, 10, "GET");
    tick(11);
    EXPECT_EQ(written(), "d+GET.");
}

TEST_F(HeldRecordsTest, WhatIsNotJudgedWaitsWithAllBehindIt) {
    data(kNew, 10, "GET");
    tick(11);
    data(kOurs, 12, "PUT", 2);
    held_.judged(10);
    EXPECT_EQ(written(), "");
    selected_.insert(kNew);
    held_.judged(0);
    EXPECT_EQ(written(), "d+GET.d+PUT");
}

TEST_F(HeldRecordsTest, OfWhoIsNobodysOnlyLengthsAndTimesAreKept) {
    data(kNew, 10, "secret");
    data(kOurs, 11, "GET", 2);
    tail(1);
    tail(2);
    data(kNew, 20, "later", 3);
    held_.judged(15);
    EXPECT_EQ(written(), "dd+GETtt+");
    held_.finish();
    EXPECT_EQ(written(), "d");
}

TEST_F(HeldRecordsTest, AConnectionThatIsOursLaterIsWholeFromThereOn) {
    data(kNew, 10, "secret");
    data(kOurs, 11, "GET");
    tail(1);
    held_.judged(15);
    EXPECT_EQ(written(), "dd+GETt+");
}

TEST_F(HeldRecordsTest, IsBounded) {
    const std::string megabyte(1 << 20, 'x');
    data(kNew, 10, "secret");
    for (int i = 0; i < 20; ++i) data(kOurs, 11, megabyte, 2);
    EXPECT_EQ(records_.size(), 21u);
    EXPECT_EQ(records_.front().size(), sizeof(wg_data_event));
}

}  // namespace
}  // namespace waggle::agent
