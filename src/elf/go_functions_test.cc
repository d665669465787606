// SPDX-License-Identifier: Apache-2.0
#include "elf/go_functions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "elf/test_elf.h"

namespace waggle::elf {
namespace {

using namespace std::string_literals;
using testing::IsEmpty;

constexpr std::uint64_t kText = kBase + sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr);
constexpr std::uint32_t kGo120 = 0xfffffff1;
constexpr std::uint32_t kGo116 = 0xfffffffa;

// What every Go function begins with that may need more stack: cmp 0x10(%r14),%rsp; jbe; push; pop; ret.
const std::string kCode = "\x49\x3b\x66\x10\x76\x03\x55\x5d\xc3\xcc\xcc\xcc\xcc\xcc\xcc\xcc"s;

template <typename T>
void put(std::string& to, T value) {
    to += bytes_of(value);
}

struct Program {
    std::uint32_t magic = kGo120;
    std::uint64_t text_start = 0;
    std::uint64_t before = 0;  // bytes of other code in front of Go's
    std::string table_name = ".gopclntab";
    std::string code = kCode;  // of every second function; the others are leaves
    std::uint16_t machine = EM_X86_64;

    // Functions of 16 bytes each, with these names.
    std::string make(const std::vector<std::string>& names) const {
        const std::uint64_t header = 72;
        std::string text(before, '\xc3');
        std::string name_table(1, '\0');
        std::string entries;
        std::string descriptions;
        const std::uint32_t entries_size = static_cast<std::uint32_t>(names.size() * 8 + 4);
        for (std::uint32_t i = 0; i < names.size(); ++i) {
            text += i % 2 ? code : std::string(16, '\xc3');
            put(entries, i * 16);
            put(entries, static_cast<std::uint32_t>(entries_size + descriptions.size()));
            put(descriptions, i * 16);
            put(descriptions, static_cast<std::uint32_t>(name_table.size()));
            descriptions.append(40, '\0');
            name_table += names[i] + '\0';
        }
        put(entries, static_cast<std::uint32_t>(names.size() * 16));
        std::string table;
        put(table, magic);
        table += "\0\0\1\x08"s;
        put(table, std::uint64_t{names.size()});
        put(table, std::uint64_t{0});
        put(table, text_start);
        put(table, header);
        for (int i = 0; i < 4; ++i) put(table, header + name_table.size());
        std::string bytes =
            make_elf({{".text", text, SHT_PROGBITS, kText}, {table_name, table + name_table + entries + descriptions}});
        std::memcpy(bytes.data() + offsetof(Elf64_Ehdr, e_machine), &machine, sizeof(machine));
        return bytes;
    }
};

const std::vector<std::string_view> kWanted = {"crypto/tls.(*Conn).Read", "crypto/tls.(*Conn).Write"};
const std::vector<std::string> kNames = {"runtime.main", "crypto/tls.(*Conn).Write", "my/crypto/tls.(*Conn).Read",
                                         "crypto/tls.(*Conn).Read"};

Result<std::vector<Function>> find(const std::string& bytes) {
    const TemporaryFile file(bytes);
    const auto image = Image::open(file.path());
    EXPECT_TRUE(image);
    return find_go_functions(*image, kWanted);
}

MATCHER_P2(Is, name, address, "") { return arg.name == name && arg.address == address && arg.size == 16; }

TEST(GoFunctions, AreFoundByTheirWholeNames) {
    for (const Program& program :
         {Program{}, Program{.magic = 0xfffffff0}, Program{.table_name = ".data.rel.ro.gopclntab"}}) {
        const auto functions = find(program.make(kNames));
        ASSERT_TRUE(functions) << functions.error().message;
        EXPECT_THAT(*functions, testing::ElementsAre(Is(1u, kText + 16), Is(0u, kText + 48)));
    }
}

TEST(GoFunctions, AreWhereTheHeaderSaysWhenThatIsTrue) {
    const auto told = find(Program{.text_start = kText + 64, .before = 64}.make(kNames));
    ASSERT_TRUE(told);
    EXPECT_EQ(told->front().address, kText + 80);
    const auto wrong = find(Program{.text_start = kText + 8}.make(kNames));
    ASSERT_TRUE(wrong);
    EXPECT_EQ(wrong->front().address, kText + 16);
}

TEST(GoFunctions, AreFoundBehindOtherCode) {
    const auto functions = find(Program{.before = 1024}.make(kNames));
    ASSERT_TRUE(functions);
    EXPECT_EQ(functions->front().address, kText + 1024 + 16);
}

TEST(GoFunctions, OfLargeFramesBeginOtherwise) {
    // lea -0x80(%rsp),%r12 (with one byte, or four); cmp 0x10(%r14),%r12
    for (const std::string& begin :
         {"\x4c\x8d\x64\x24\x80\x4d\x3b\x66\x10"s, "\x4c\x8d\xa4\x24\x00\xff\xff\xff\x4d\x3b\x66\x10"s}) {
        const auto functions =
            find(Program{.before = 32, .code = begin + std::string(16 - begin.size(), '\xcc')}.make(kNames));
        ASSERT_TRUE(functions) << functions.error().message;
        EXPECT_EQ(functions->front().address, kText + 32 + 16);
    }
}

TEST(GoFunctions, AreNotBelievedWhereTheCodeIsAnother) {
    const auto functions = find(Program{.code = std::string(16, '\xc3')}.make(kNames));
    ASSERT_FALSE(functions);
    EXPECT_EQ(functions.error().message, "its functions are not where its table says");
}

TEST(GoFunctions, OfAnOldGoAreRefusedWhenThereAreAny) {
    const auto with = find(Program{.magic = kGo116}.make(kNames));
    ASSERT_FALSE(with);
    EXPECT_EQ(with.error().message, "made by a Go before 1.18");
    const auto without = find(Program{.magic = kGo116}.make({"runtime.main"}));
    ASSERT_TRUE(without);
    EXPECT_THAT(*without, IsEmpty());
}

TEST(GoFunctions, OfAnotherProcessorAreRefused) {
    EXPECT_FALSE(find(Program{.machine = EM_AARCH64}.make(kNames)));
    EXPECT_TRUE(find(Program{.machine = EM_AARCH64}.make({"runtime.main"})));
}

TEST(GoFunctions, AreNoneInOtherPrograms) {
    for (const std::string& bytes : {make_elf({{".text", kCode}}), Program{.magic = 1}.make(kNames),
                                     Program{}.make({"main.main"}), make_elf({{".gopclntab", "short"}})}) {
        const auto functions = find(bytes);
        ASSERT_TRUE(functions);
        EXPECT_THAT(*functions, IsEmpty());
    }
}

}  // namespace
}  // namespace waggle::elf
