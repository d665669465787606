// SPDX-License-Identifier: Apache-2.0
#include "elf/symbols.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "elf/test_elf.h"

namespace waggle::elf {
namespace {

constexpr std::string_view kTake = "*6rustls12common_state*11CommonState23take_received_plaintext";
constexpr std::string_view kDrop =
    "*drop_in_place$LT$rustls..common_state..CommonState$GT$|*13drop_in_place*6rustls12common_state11CommonState";

TEST(Mangled, IsMatchedWhateverTheHash) {
    for (const std::string_view name :
         {"_ZN6rustls12common_state11CommonState23take_received_plaintext17hf5b407d2fdca83b6E",
          "_ZN6rustls12common_state11CommonState23take_received_plaintext17hf5b407d2fdca83b6E.llvm.5988818536346386929",
          "_RNvMs0_NtCsgDaTZcQkGgN_6rustls12common_stateNtB5_11CommonState23take_received_plaintext"})
        EXPECT_TRUE(matches_mangled(name, kTake)) << name;
    for (const std::string_view name :
         {"_ZN4core3ptr54drop_in_place$LT$rustls..common_state..CommonState$GT$17h0a82ab8cb98bf461E",
          "_RINvNtCs1234_4core3ptr13drop_in_placeNtNtCsgDaTZcQkGgN_6rustls12common_state11CommonStateECs5678_5vault"})
        EXPECT_TRUE(matches_mangled(name, kDrop)) << name;
}

TEST(Mangled, IsNotMatchedByWhatIsInsideIt) {
    for (const std::string_view name :
         {"_ZN6rustls12common_state11CommonState23take_received_plaintext28_$u7b$$u7b$closure$u7d$$u7d$17hf5b4E",
          "_ZN6rustls6server11server_conn14EarlyDataState23take_received_plaintext17h8eccee49a194d53bE",
          "6rustls12common_state11CommonState23take_received_plaintext", "", "_ZN",
          "_ZN11CommonState23take_received_plaintext6rustls12common_state17hE"})
        EXPECT_FALSE(matches_mangled(name, kTake)) << name;
    EXPECT_FALSE(matches_mangled(
        "_ZN4core3ptr70drop_in_place$LT$alloc..boxed..Box$LT$rustls..common_state..CommonState$GT$$GT$17hE", kDrop));
}

std::string symbol(std::uint32_t name, std::uint64_t address) {
    Elf64_Sym entry{};
    entry.st_name = name;
    entry.st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC);
    entry.st_shndx = 1;
    entry.st_value = address;
    entry.st_size = 16;
    return bytes_of(entry);
}

TEST(Symbols, EveryCopyOfAMangledFunctionIsFoundAndOthersOnce) {
    const std::string drop = "_ZN4core3ptr54drop_in_place$LT$rustls..common_state..CommonState$GT$17h0a82ab8cb98bf461E";
    std::string names = std::string(1, '\0') + drop + '\0';
    const auto plain = static_cast<std::uint32_t>(names.size());
    names += std::string("SSL_read") + '\0';
    const TemporaryFile file(make_elf(
        {{".symtab",
          symbol(1, 0x1000) + symbol(1, 0x2000) + symbol(1, 0x1000) + symbol(plain, 0x3000) + symbol(plain, 0x4000),
          SHT_SYMTAB},
         {".strtab", names, SHT_STRTAB}}));
    const auto image = Image::open(file.path());
    ASSERT_TRUE(image);
    std::vector<std::pair<std::size_t, std::uint64_t>> found;
    for (const Function& function : find_functions(*image, std::vector<std::string_view>{kTake, kDrop, "SSL_read"}))
        found.emplace_back(function.name, function.address);
    EXPECT_THAT(found, testing::UnorderedElementsAre(testing::Pair(1, 0x1000), testing::Pair(1, 0x2000),
                                                     testing::Pair(2, 0x3000)));
}

}  // namespace
}  // namespace waggle::elf
