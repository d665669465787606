// SPDX-License-Identifier: Apache-2.0
#include "elf/own_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "elf/test_elf.h"

namespace waggle::elf {
namespace {

using namespace std::string_literals;

constexpr std::string_view kNames[] = {"lib_read", "lib_write"};
constexpr OwnNames kWanted = {.file = "lib/main.c", .names = kNames};
constexpr std::uint64_t kStart = kBase + sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr);

// "lea TARGET(%rip),%rdx", with rdx as the other registers of that form.
std::string lea(std::uint64_t at, std::uint64_t target) {
    return "\x48\x8d\x15"s + bytes_of(static_cast<std::uint32_t>(target - at - 7));
}
// "mov $TARGET,%edx"
std::string mov(std::uint64_t, std::uint64_t target) { return "\xba"s + bytes_of(static_cast<std::uint32_t>(target)); }

// A program: its read-only data, and functions as each refers to places of it.
class Program {
  public:
    explicit Program(std::string data) : data_(std::move(data)) {
        while (data_.size() % 16) data_ += '\0';
        code_at_ = kStart + data_.size();
    }
    std::uint64_t place_of(std::string_view text) const { return kStart + data_.find(text); }
    // `code` makes it for where it stands.
    std::uint64_t function_of(const std::function<std::string(std::uint64_t)>& code) {
        const std::uint64_t begin = code_at_ + code_.size();
        code_ += code(begin) + '\xc3';
        functions_.push_back({begin, code_at_ + code_.size() - begin});
        return begin;
    }
    std::uint64_t function(const std::vector<std::uint64_t>& targets, bool by_number = false) {
        return function_of([&](std::uint64_t at) {
            std::string code;
            for (const std::uint64_t target : targets) code += (by_number ? mov : lea)(at + code.size(), target);
            return code;
        });
    }
    std::vector<Function> look(const OwnNames& wanted = kWanted, std::uint8_t encoding = 0x1b) const {
        std::string frames = bytes_of(std::uint32_t{20}) + bytes_of(std::uint32_t{0}) + "\1zR\0\1\x78\x10\1"s +
                             static_cast<char>(encoding);
        frames.resize(24, '\0');
        const std::uint64_t frames_at = code_at_ + code_.size();
        for (const auto& [begin, size] : functions_) {
            frames += bytes_of(std::uint32_t{16}) + bytes_of(static_cast<std::uint32_t>(frames.size() + 4));
            frames += bytes_of(static_cast<std::uint32_t>(begin - (frames_at + frames.size()))) +
                      bytes_of(static_cast<std::uint32_t>(size));
            frames.append(4, '\0');
        }
        const TemporaryFile file(make_elf({{.name = ".rodata", .bytes = data_, .address = kStart},
                                           {.name = ".text", .bytes = code_, .address = code_at_},
                                           {.name = ".eh_frame", .bytes = frames, .address = frames_at}}));
        const auto image = Image::open(file.path());
        EXPECT_TRUE(image);
        return image ? find_own_named(*image, wanted) : std::vector<Function>();
    }

  private:
    std::string data_;
    std::string code_;
    std::uint64_t code_at_;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> functions_;
};

const std::string kData = "begin\0../lib/main.c\0lib_read\0lib_write\0"s;

TEST(OwnNames, FindsFunctionsByTheNamesThatTheyReportErrorsBy) {
    for (const bool by_number : {false, true}) {
        Program program(kData);
        const std::uint64_t file = program.place_of("../lib");
        program.function({file});
        const std::uint64_t read = program.function({program.place_of("lib_read"), file}, by_number);
        const std::uint64_t write = program.function({file, program.place_of("lib_write"), file}, by_number);
        const auto found = program.look();
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
        EXPECT_TRUE(program.look().empty());
    }
}

// A list of names, as of a scripting language's symbols, is none of its functions.
TEST(OwnNames, AFunctionThatDoesNotReferToTheFileIsNotTaken) {
    Program program(kData);
    program.function({program.place_of("lib_read")});
    program.function({program.place_of("../lib")});
    EXPECT_TRUE(program.look().empty());
}

TEST(OwnNames, TwoFunctionsOfOneNameAreNone) {
    Program program(kData);
    for (int i = 0; i < 2; ++i) program.function({program.place_of("lib_read"), program.place_of("../lib")});
    EXPECT_TRUE(program.look().empty());
}

TEST(OwnNames, AFunctionOfTwoNamesIsNone) {
    Program program(kData);
    program.function({program.place_of("lib_read"), program.place_of("lib_write"), program.place_of("../lib")});
    EXPECT_TRUE(program.look().empty());
}

constexpr std::string_view kCalled[] = {"lib_read", ">lib_write"};
constexpr OwnNames kCallers = {.file = "lib/main.c", .names = kCalled};

std::string call(std::uint64_t at, std::uint64_t target) {
    return "\xe8"s + bytes_of(static_cast<std::uint32_t>(target - at - 5));
}

// As SSL_read_ex is, which has no name of its own: SSL_read calls the same function, but reports errors.
TEST(OwnNames, FindsTheOneCallerThatReportsNoErrors) {
    Program program(kData);
    const std::uint64_t file = program.place_of("../lib");
    const std::uint64_t called = program.function({program.place_of("lib_write"), file});
    const std::uint64_t read = program.function_of([&](std::uint64_t at) {
        return lea(at, program.place_of("lib_read")) + lea(at + 7, file) + call(at + 14, called);
    });
    const std::uint64_t caller = program.function_of([&](std::uint64_t at) { return call(at, called); });
    const auto found = program.look(kCallers);
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].address, read);
    EXPECT_EQ(found[1].address, caller);
    EXPECT_EQ(found[1].name, 1u);
    program.function_of([&](std::uint64_t at) { return call(at, called); });
    EXPECT_EQ(program.look(kCallers).size(), 1u);  // of two nobody knows which
}

// The compiler has taken the called function into both.
TEST(OwnNames, WhatHasTakenInTheCalledFunctionIsWhatItIsCalled) {
    Program program(kData);
    const std::uint64_t file = program.place_of("../lib");
    const std::uint64_t read = program.function({program.place_of("lib_read"), program.place_of("lib_write"), file});
    for (int i = 0; i < 2; ++i) program.function({program.place_of("lib_write"), file});
    const auto found = program.look(kCallers);
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
    const auto found = program.look(kByNumber);
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].address, read);
    EXPECT_EQ(found[1].address, caller);
    reporting(223);
    EXPECT_EQ(program.look(kByNumber).size(), 1u);  // of two nobody knows which
}

TEST(OwnNames, ANumberWithinAnotherInstructionIsNone) {
    Program program("begin\0../lib/main.c\0"s);
    program.function_of([&](std::uint64_t at) {
        return "\x48\xb8\x00\x00"s + number(223) + "\x00"s + lea(at + 10, program.place_of("../lib"));
    });
    EXPECT_TRUE(program.look(kByNumber).empty());
}

TEST(OwnNames, ATableThatIsWrittenInAnotherWayIsPassedOver) {
    Program program(kData);
    program.function({program.place_of("lib_read"), program.place_of("../lib")});
    EXPECT_EQ(program.look(kWanted).size(), 1u);
    EXPECT_TRUE(program.look(kWanted, 0).empty());
}

// What looks like such an instruction stands in the middle of another one.
TEST(OwnNames, WhatIsNoInstructionIsNotTaken) {
    Program program(kData);
    const std::uint64_t file = program.place_of("../lib");
    program.function_of([&](std::uint64_t at) {
        return "\x48\xb8\x00"s + lea(at + 3, program.place_of("lib_read")) + lea(at + 10, file);
    });
    EXPECT_TRUE(program.look().empty());
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
