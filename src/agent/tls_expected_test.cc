// SPDX-License-Identifier: Apache-2.0
#include "agent/tls_expected.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace waggle::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr proc::FileId kProgram{.device = 1, .inode = 5};
constexpr proc::FileId kOther{.device = 2, .inode = 5};
const proc::MappedCode kHere{.range = "7f01-7f02", .path = "/lib/libssl.so.3", .inode = 9};
const proc::MappedCode kAnywhere{.range = "", .path = "/lib/libssl.so.3", .inode = 9};
const proc::MappedCode kSecond{.range = "", .path = "/lib/libgnutls.so.30", .inode = 10};

TEST(Expected, WhatOthersOfTheProgramHaveLoaded) {
    TlsExpected expected;
    EXPECT_THAT(expected.of(kProgram), IsEmpty());
    expected.learn(kProgram, kHere);
    expected.learn(kProgram, {.range = "7f03-7f04", .path = "/lib/libssl.so.3", .inode = 9});
    EXPECT_THAT(expected.of(kProgram), ElementsAre(kAnywhere));
    EXPECT_THAT(expected.of(kOther), IsEmpty());
    expected.learn(kProgram, kSecond);
    EXPECT_THAT(expected.of(kProgram), ElementsAre(kAnywhere, kSecond));
}

TEST(Expected, NoMoreAfterSomeThatDidNotComeInARow) {
    TlsExpected expected;
    expected.learn(kProgram, kHere);
    expected.learn(kProgram, kSecond);
    for (int i = 1; i < TlsExpected::kMaxMisses; ++i) expected.miss(kProgram, kHere);
    expected.learn(kProgram, kHere);
    for (int i = 1; i < TlsExpected::kMaxMisses; ++i) expected.miss(kProgram, kHere);
    EXPECT_THAT(expected.of(kProgram), ElementsAre(kAnywhere, kSecond));
    expected.miss(kProgram, kHere);
    EXPECT_THAT(expected.of(kProgram), ElementsAre(kSecond));
    for (int i = 0; i <= TlsExpected::kMaxMisses; ++i) expected.miss(kProgram, kSecond);
    EXPECT_THAT(expected.of(kProgram), IsEmpty());
}

// A new version of the library has its name, but is another file.
TEST(Expected, FilesAreToldApartByTheirNumbersToo) {
    TlsExpected expected;
    expected.learn(kProgram, kHere);
    expected.learn(kProgram, {.range = "", .path = "/lib/libssl.so.3", .inode = 11});
    EXPECT_THAT(expected.of(kProgram), SizeIs(2));
}

TEST(Expected, IsBounded) {
    TlsExpected expected;
    for (std::uint64_t inode = 1; inode <= 100; ++inode)
        expected.learn(kProgram, {.range = "", .path = "/lib/some.so", .inode = inode});
    EXPECT_THAT(expected.of(kProgram), SizeIs(TlsExpected::kMaxOfProgram));
    for (std::uint64_t inode = 1; inode <= TlsExpected::kMaxPrograms; ++inode)
        expected.learn({.device = 3, .inode = inode}, kHere);
    EXPECT_THAT(expected.of(kProgram), IsEmpty());  // it begins anew
    EXPECT_THAT(expected.of({.device = 3, .inode = TlsExpected::kMaxPrograms}), SizeIs(1));
}

}  // namespace
}  // namespace waggle::agent
