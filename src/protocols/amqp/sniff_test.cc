// SPDX-License-Identifier: Apache-2.0
// By which frames a connection is known whose greeting was not seen.
#include <gtest/gtest.h>

#include "protocols/amqp/frames.h"

namespace waggle::protocols::amqp {
namespace {

using namespace std::string_literals;

const std::string kHeartbeat("\x08\0\0\0\0\0\0\xce", 8);

std::string method(char of, char id, const std::string& arguments) {
    return "\x01\0\x01\0\0\0"s + static_cast<char>(arguments.size() + 4) + '\0' + of + '\0' + id + arguments + '\xce';
}

const std::string kAck = method(60, 80, std::string(9, '\0'));
const std::string kConfirmSelect = method(85, 10, "\0"s);
const std::string kConfirmSelectOk = method(85, 11, "");
const std::string kDeliver = method(60, 60, "\1c"s + std::string(9, '\0') + "\0\1q"s);

TEST(AmqpSniff, KnowsWhoSpeaks) {
    EXPECT_EQ(sniff(kConfirmSelect, Side::Request), Sniff::Yes);
    EXPECT_EQ(sniff(kConfirmSelect, Side::Response), Sniff::No);
    EXPECT_EQ(sniff(kConfirmSelectOk, Side::Response), Sniff::Yes);
    EXPECT_EQ(sniff(kConfirmSelectOk, Side::Request), Sniff::No);
    EXPECT_EQ(sniff(kDeliver, Side::Response), Sniff::Yes);
    EXPECT_EQ(sniff(kDeliver, Side::Request), Sniff::No);
}

// An idle connection sends heartbeats for hours; a consumer acknowledges, as a broker does.
TEST(AmqpSniff, WaitsWhereEitherEndMaySpeak) {
    const std::string either = kHeartbeat + kHeartbeat + kAck + kHeartbeat;
    for (const Side side : {Side::Request, Side::Response}) {
        for (std::size_t size = 0; size <= either.size(); ++size)
            EXPECT_EQ(sniff(std::string_view(either).substr(0, size), side), Sniff::NeedMore) << size;
    }
    EXPECT_EQ(sniff(either + kConfirmSelect, Side::Request), Sniff::Yes);
    EXPECT_EQ(sniff(either + kConfirmSelect, Side::Response), Sniff::No);
    EXPECT_EQ(sniff(either + kDeliver, Side::Response), Sniff::Yes);
}

TEST(AmqpSniff, TakesNothingElse) {
    std::string marred = kConfirmSelect;
    marred.back() = '\0';
    EXPECT_EQ(sniff(marred, Side::Request), Sniff::No);
    EXPECT_EQ(sniff(method(85, 12, "\0"s), Side::Request), Sniff::No);
    EXPECT_EQ(sniff(kHeartbeat + "x", Side::Request), Sniff::No);
    EXPECT_EQ(sniff(method(60, 80, std::string(8, '\0')), Side::Request), Sniff::No);
}

}  // namespace
}  // namespace waggle::protocols::amqp
