// SPDX-License-Identifier: Apache-2.0
#include "elf/own_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "elf/test_program.h"

namespace waggle::elf {
namespace {

using namespace std::string_literals;

constexpr std::string_view kNames[] = {"lib_read", "lib_write"};
constexpr OwnNames kWanted = {.file = "lib/main.c", .names = kNames};

std::vector<Function> look(const Program& program, const OwnNames& wanted = kWanted, std::uint8_t encoding = 0x1b) {
    return program.look([&](const Image& image) { return find_own_named(image, wanted); }, encoding);
}

const std::string kData = "begin\0../lib/main.c\0lib_read\0lib_write\0"s;

TEST(OwnNames, FindsFunctionsByTheNamesThatTheyReportErrorsBy) {
    for (const bool by_number : {false, true}) {
        Program program(kData);
        const std::uint64_t file = program.place_of("../lib");
        program.function({file});
        const std::uint64_t read = program.function({program.place_of("lib_read"), file}, by_number);
        const std::uint64_t write = program.function({file, program.place_of("lib_write"), file}, by_number);
        const auto found = look(program);
        ASSERT_EQ(found.size(), 2u);
        EXPECT_EQ(found[0].address, read);
        EXPECT_EQ(found[0].name, 0u);
        EXPECT_EQ(found[1].address, write);
        EXPECT_EQ(found[1].size, by_number ? 16u : 22u);
    }
}

TEST(OwnNames, NothingIsFoundWithoutTheLibrarysStrings) {
    for (const std::string& data :
         {"begin\0lib_read\0"s, "begin\0../lib/main.c\0"s, "begin\0../lib/main.c\0lib_reader\0"s}) {
        Program program(data);
        program.function({program.place_of("begin"), program.place_of("lib")});
        EXPECT_TRUE(look(program).empty());
    }
}

// Numbers stand before it, not another string's end.
TEST(OwnNames, APathNeedNotFollowAString) {
    Program program("begin\x04\x08lib/main.c\0lib_read\0"s);
    const std::uint64_t read = program.function({program.place_of("lib_read"), program.place_of("lib/main")});
    const auto found = look(program);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].address, read);
}

// A list of names, as of a scripting language's symbols, is none of its functions.
TEST(OwnNames, AFunctionThatDoesNotReferToTheFileIsNotTaken) {
    Program program(kData);
    program.function({program.place_of("lib_read")});
    program.function({program.place_of("../lib")});
    EXPECT_TRUE(look(program).empty());
}

TEST(OwnNames, TwoFunctionsOfOneNameAreNone) {
    Program program(kData);
    for (int i = 0; i < 2; ++i) program.function({program.place_of("lib_read"), program.place_of("../lib")});
    EXPECT_TRUE(look(program).empty());
}

TEST(OwnNames, AFunctionOfTwoNamesIsNone) {
    Program program(kData);
    program.function({program.place_of("lib_read"), program.place_of("lib_write"), program.place_of("../lib")});
    EXPECT_TRUE(look(program).empty());
}

constexpr std::string_view kCalled[] = {"lib_read", ">lib_write"};
constexpr OwnNames kCallers = {.file = "lib/main.c", .names = kCalled};

// As SSL_read_ex is, which has no name of its own: SSL_read calls the same function, but reports errors.
TEST(OwnNames, FindsTheOneCallerThatReportsNoErrors) {
    Program program(kData);
    const std::uint64_t file = program.place_of("../lib");
    const std::uint64_t called = program.function({program.place_of("lib_write"), file});
    const std::uint64_t read = program.function_of([&](std::uint64_t at) {
        return lea(at, program.place_of("lib_read")) + lea(at + 7, file) + call(at + 14, called);
    });
    const std::uint64_t caller = program.function_of([&](std::uint64_t at) { return call(at, called); });
    const auto found = look(program, kCallers);
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].address, read);
    EXPECT_EQ(found[1].address, caller);
    EXPECT_EQ(found[1].name, 1u);
    program.function_of([&](std::uint64_t at) { return call(at, called); });
    EXPECT_EQ(look(program, kCallers).size(), 1u);  // of two nobody knows which
}

// The compiler has taken the called function into both.
TEST(OwnNames, WhatHasTakenInTheCalledFunctionIsWhatItIsCalled) {
    Program program(kData);
    const std::uint64_t file = program.place_of("../lib");
    const std::uint64_t read = program.function({program.place_of("lib_read"), program.place_of("lib_write"), file});
    for (int i = 0; i < 2; ++i) program.function({program.place_of("lib_write"), file});
    const auto found = look(program, kCallers);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].address, read);
}

// As OpenSSL 1.1 has them: the second argument of what takes errors.
constexpr std::string_view kNumbered[] = {"#223", ">#523"};
constexpr OwnNames kByNumber = {.file = "lib/main.c", .names = kNumbered};

std::string number(std::uint32_t value) { return "\xbe"s + bytes_of(value); }  // mov $VALUE,%esi

TEST(OwnNames, FindsFunctionsByTheNumbersThatTheyReportErrorsBy) {
    Program program("begin\0../lib/main.c\0"s);
    const std::uint64_t file = program.place_of("../lib");
    const auto reporting = [&](std::uint32_t value) {
        return program.function_of([&](std::uint64_t at) { return number(value) + lea(at + 5, file); });
    };
    program.function_of([](std::uint64_t) { return number(223); });  // elsewhere it is just a number
    const std::uint64_t called = reporting(523);
    const std::uint64_t read = reporting(223);
    const std::uint64_t caller = program.function_of([&](std::uint64_t at) { return call(at, called); });
    const auto found = look(program, kByNumber);
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].address, read);
    EXPECT_EQ(found[1].address, caller);
    reporting(223);
    EXPECT_EQ(look(program, kByNumber).size(), 1u);  // of two nobody knows which
}

TEST(OwnNames, ANumberWithinAnotherInstructionIsNone) {
    Program program("begin\0../lib/main.c\0"s);
    program.function_of([&](std::uint64_t at) {
        return "\x48\xb8\x00\x00"s + number(223) + "\x00"s + lea(at + 10, program.place_of("../lib"));
    });
    EXPECT_TRUE(look(program, kByNumber).empty());
}

TEST(OwnNames, ATableThatIsWrittenInAnotherWayIsPassedOver) {
    Program program(kData);
    program.function({program.place_of("lib_read"), program.place_of("../lib")});
    EXPECT_EQ(look(program, kWanted).size(), 1u);
    EXPECT_TRUE(look(program, kWanted, 0).empty());
}

// What looks like such an instruction stands in the middle of another one.
TEST(OwnNames, WhatIsNoInstructionIsNotTaken) {
    Program program(kData);
    const std::uint64_t file = program.place_of("../lib");
    program.function_of([&](std::uint64_t at) {
        return "\x48\xb8\x00"s + lea(at + 3, program.place_of("lib_read")) + lea(at + 10, file);
    });
    EXPECT_TRUE(look(program).empty());
}

TEST(OwnNames, OtherProgramsHaveNone) {
    constexpr std::string_view kOpenssl[] = {"ssl_read_internal", "ssl_write_internal", "SSL_new"};
    for (const char* path : {"/proc/self/exe", "/bin/sh", "/usr/bin/env", "/lib/x86_64-linux-gnu/libc.so.6"}) {
        const auto image = Image::open(path);
        if (!image) continue;
        EXPECT_TRUE(find_own_named(*image, {.file = "ssl/ssl_lib.c", .names = kOpenssl}).empty()) << path;
    }
}

}  // namespace
}  // namespace waggle::elf
