// SPDX-License-Identifier: Apache-2.0
#include "elf/boringssl.h"

#include <gtest/gtest.h>

#include "elf/test_program.h"

namespace waggle::elf {
namespace {

using namespace std::string_literals;

constexpr std::string_view kFile = "ssl/ssl_lib.cc";
constexpr std::string_view kNames[] = {"SSL_read", "SSL_write", "SSL_new"};
using Reasons = std::vector<std::uint32_t>;

// Instructions on fields of what %rax points to: "mov FIELD(%rax),%rsi" and "mov %rsi,FIELD(%rax)".
std::string load(std::uint32_t field) { return "\x48\x8b\xb0"s + bytes_of(field); }
std::string store(std::uint32_t field) { return "\x48\x89\xb0"s + bytes_of(field); }
const std::string kLooks = load(128) + load(136);
const std::string kTakes = kLooks + store(128) + store(136);

// A library as compilers make it; a test changes one thing.
class Library {
  public:
    explicit Library(const std::string& path = "/code/ssl/ssl_lib.cc")
        : program_("begin\0"s + path + "\0end\0"s), path_(program_.place_of(path)) {}

    // Reports errors for these reasons, calls these, and does the rest.
    std::uint64_t function(const Reasons& reasons, const std::vector<std::uint64_t>& calls = {},
                           const std::string& rest = {}, bool has_path = true) {
        return program_.function_of([&](std::uint64_t at) {
            std::string code = rest;
            for (const std::uint64_t target : calls) code += call(at + code.size(), target);
            for (const std::uint32_t reason : reasons) {
                if (has_path) code += lea(at + code.size(), path_);
                code += mov(0, reason);
            }
            return code;
        });
    }
    std::uint64_t waiting() { return function({226, 215}); }  // ssl_read_impl
    std::uint64_t write() { return function({66, 226, 215, 111}); }
    std::uint64_t made() { return function({185}); }
    Result<std::vector<Function>> look(std::string_view file = kFile) const {
        return program_.look([&](const Image& image) { return find_in_boringssl(image, file, kNames); });
    }
    std::string error() const {
        const auto found = look();
        return found ? "" : found.error().message;
    }

  private:
    Program program_;
    std::uint64_t path_;
};

void expect_found(const Library& library, std::uint64_t read, std::uint64_t write) {
    const auto found = library.look();
    ASSERT_TRUE(found) << found.error().message;
    ASSERT_EQ(found->size(), 2u);
    EXPECT_EQ(kNames[(*found)[0].name], "SSL_read");
    EXPECT_EQ((*found)[0].address, read);
    EXPECT_EQ(kNames[(*found)[1].name], "SSL_write");
    EXPECT_EQ((*found)[1].address, write);
}

// The compiler has taken SSL_peek into SSL_read, and keeps both.
TEST(Boringssl, TellsReadFromPeekByWhatItTakes) {
    Library library;
    library.function({66});
    const std::uint64_t waiting = library.waiting();
    library.function({66}, {waiting}, kLooks);
    const std::uint64_t read = library.function({66}, {waiting}, kTakes);
    library.function({226, 291}, {waiting}, kTakes);  // SSL_shutdown
    const std::uint64_t write = library.write();
    expect_found(library, read, write);
    const std::uint64_t made = library.made();
    const auto found = library.look();
    ASSERT_EQ(found->size(), 3u);
    EXPECT_EQ(kNames[found->back().name], "SSL_new");
    EXPECT_EQ(found->back().address, made);
}

TEST(Boringssl, OlderWriteMindsWhetherItIsShutDown) {
    Library library;
    const std::uint64_t read = library.function({66}, {library.waiting()}, kTakes);
    expect_found(library, read, library.function({66, 226, 194, 215}));
}

TEST(Boringssl, ReadMayCallPeek) {
    Library library;
    const std::uint64_t peek = library.function({66}, {library.waiting()}, kLooks);
    library.function({}, {peek});  // a program that looks
    library.function({}, {peek}, store(128) + store(144));
    const std::uint64_t read = library.function({}, {peek}, kTakes);
    expect_found(library, read, library.write());
}

// Nobody calls SSL_peek, and the linker has left it out.
TEST(Boringssl, ReadMayBeAlone) {
    Library library;
    const std::uint64_t read = library.function({66}, {library.waiting()}, kTakes);
    library.function({}, {read});  // a program that reads
    expect_found(library, read, library.write());
}

TEST(Boringssl, PeekIsNotTakenForRead) {
    Library library;
    const std::uint64_t waiting = library.waiting();
    library.write();
    const std::uint64_t peek = library.function({66}, {waiting}, kLooks);
    library.function({}, {peek});
    EXPECT_NE(library.error(), "");
    library.function({66}, {waiting}, kLooks + store(128));  // half of it is not taking
    EXPECT_NE(library.error(), "");
}

TEST(Boringssl, OfTwoReadsNobodyKnowsWhich) {
    Library library;
    const std::uint64_t waiting = library.waiting();
    library.write();
    library.function({66}, {waiting}, kTakes);
    EXPECT_EQ(library.error(), "");
    library.function({66}, {waiting}, kTakes);
    EXPECT_NE(library.error(), "");
}

TEST(Boringssl, OfTwoWritesNobodyKnowsWhich) {
    Library library;
    library.function({66}, {library.waiting()}, kTakes);
    EXPECT_NE(library.error(), "");
    library.write();
    EXPECT_EQ(library.error(), "");
    library.write();
    EXPECT_NE(library.error(), "");
}

TEST(Boringssl, OfTwoNewsThereIsNone) {
    Library library;
    library.function({66}, {library.waiting()}, kTakes);
    library.write();
    for (const std::size_t count : {3u, 2u}) {
        library.made();
        EXPECT_EQ(library.look()->size(), count);
    }
}

// Another version, whose functions give other reasons.
TEST(Boringssl, AReasonThatIsMissingIsNoMatch) {
    for (const Reasons& others : {Reasons{66, 226, 215}, Reasons{226, 215, 111}, Reasons{66, 226, 111}}) {
        Library library;
        library.function({66}, {library.waiting()}, kTakes);
        library.function(others);
        EXPECT_NE(library.error(), "");
    }
}

TEST(Boringssl, FunctionsThatReportInAnotherFileAreNone) {
    Library library;
    const std::uint64_t waiting = library.waiting();
    library.function({66}, {waiting}, kTakes);
    library.function({66, 226, 215, 111}, {}, {}, false);
    EXPECT_NE(library.error(), "");
}

// A reason is an instruction's number, a field none of the stack's, and a call one of a function's own instructions.
TEST(Boringssl, WhatIsWithinInstructionsIsNotSeen) {
    Library library;
    const std::uint64_t waiting = library.waiting();
    library.write();
    const std::string on_stack = "\x48\x89\xb4\x24"s + bytes_of(128u) + "\x48\x89\xb4\x24"s + bytes_of(136u);
    library.function({66}, {waiting}, kLooks + on_stack);
    library.function({66}, {waiting}, kLooks + "\x48\xb8"s + store(128) + "\0\x48\xb8"s + store(136) + "\0"s);
    EXPECT_NE(library.error(), "");
}

TEST(Boringssl, OtherLibrariesHaveNone) {
    Library library("/code/ssl/ssl_lib.c");
    library.function({66}, {library.waiting()}, kTakes);
    library.write();
    ASSERT_TRUE(library.look());
    EXPECT_TRUE(library.look()->empty());
    EXPECT_EQ(library.look("ssl/ssl_lib.c")->size(), 2u);
    const auto image = Image::open("/proc/self/exe");
    ASSERT_TRUE(image);
    const auto found = find_in_boringssl(*image, kFile, kNames);
    EXPECT_TRUE(!found || found->empty());
}

}  // namespace
}  // namespace waggle::elf
