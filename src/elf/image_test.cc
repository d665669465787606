// SPDX-License-Identifier: Apache-2.0
#include "elf/image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "elf/go_build_info.h"
#include "elf/test_elf.h"

namespace waggle::elf {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Image open(const TemporaryFile& file) {
    auto image = Image::open(file.path());
    if (!image) throw std::runtime_error(image.error().message);
    return std::move(*image);
}

TEST(ElfImage, FindsSections) {
    const TemporaryFile file(make_elf({{".text", "code"}, {".rodata", "constants"}}));
    const Image image = open(file);
    ASSERT_TRUE(image.has_section(".rodata"));
    EXPECT_FALSE(image.has_section(".data"));
    const Section& found = *image.section(".rodata");
    EXPECT_EQ(image.read(found.offset, found.size), "constants");
    EXPECT_EQ(image.read_address(kBase + found.offset, 5), "const");
}

TEST(ElfImage, RefusesWhatIsNoElfFile) {
    for (const std::string& bytes : {std::string(), std::string("#!/bin/sh\n"),
                                     std::string("\x7f"
                                                 "ELF"),
                                     std::string(64, '\0')})
        EXPECT_FALSE(Image::open(TemporaryFile(bytes).path()));
    EXPECT_FALSE(Image::open("/nonexistent"));
    EXPECT_FALSE(Image::open("/"));
    EXPECT_FALSE(Image::open("/dev/zero"));
    std::string narrow = make_elf({});
    narrow[EI_CLASS] = ELFCLASS32;
    EXPECT_FALSE(Image::open(TemporaryFile(narrow).path()));
    std::string other = make_elf({});
    other[EI_DATA] = ELFDATA2MSB;
    EXPECT_FALSE(Image::open(TemporaryFile(other).path()));
}

TEST(ElfImage, SurvivesEveryTruncation) {
    const std::string whole =
        make_elf({{".text", "code"},
                  {".go.buildinfo", go_build_info("go1.22.1", "example.org/shop", "example.org/shop")},
                  dynamic_sections({"libc.so.6"})[0],
                  dynamic_sections({"libc.so.6"})[1]});
    for (size_t size = 0; size < whole.size(); ++size) {
        const TemporaryFile file(std::string_view(whole).substr(0, size));
        const auto image = Image::open(file.path());
        if (!image) continue;
        image->needed();
        read_go_build_info(*image);
        // Without the section table at the end there is nothing to find.
        EXPECT_FALSE(image->has_section(".text")) << size;
    }
}

TEST(ElfImage, SurvivesCutWhileOpen) {
    const TemporaryFile file(make_elf({{".rodata", std::string(200'000, 'x')}}));
    const Image image = open(file);
    file.write("short");
    EXPECT_FALSE(image.section_contains(".rodata", "y", 1 << 20));
    EXPECT_EQ(image.read(image.section(".rodata")->offset, 100'000), std::nullopt);
}

TEST(ElfImage, BoundsHostileNumbers) {
    std::string bytes = make_elf({{".rodata", "text"}});
    Elf64_Ehdr header;
    std::memcpy(&header, bytes.data(), sizeof(header));
    const auto with = [&](auto change) {
        Elf64_Ehdr changed = header;
        change(changed);
        return bytes_of(changed) + bytes.substr(sizeof(header));
    };
    for (const std::string& hostile :
         {with([](auto& h) { h.e_shoff = UINT64_MAX; }), with([](auto& h) { h.e_shoff = UINT64_MAX - 63; }),
          with([](auto& h) { h.e_shnum = 0xFFFF; }), with([](auto& h) { h.e_shstrndx = 0xFFFF; }),
          with([](auto& h) { h.e_shentsize = 1; }), with([](auto& h) { h.e_phoff = UINT64_MAX - 1; }),
          with([](auto& h) { h.e_phnum = 0xFFFF; }), with([](auto& h) { h.e_shnum = 0; })}) {
        const TemporaryFile file(hostile);
        const auto image = Image::open(file.path());
        if (!image) continue;
        image->read_address(kBase, 16);
        image->read_address(UINT64_MAX, 16);
        image->section_contains(".rodata", "text", UINT64_MAX);
    }
    EXPECT_EQ(open(TemporaryFile(bytes)).read(0, UINT64_MAX), std::nullopt);
    EXPECT_EQ(open(TemporaryFile(bytes)).read(UINT64_MAX, 1), std::nullopt);
    EXPECT_EQ(open(TemporaryFile(bytes)).read_address(kBase + 4, UINT64_MAX - 2), std::nullopt);
}

TEST(ElfImage, SectionWithoutBytesInTheFile) {
    // .bss says a size that the file does not hold.
    std::string bytes = make_elf({{".bss", "", SHT_NOBITS}});
    Elf64_Ehdr header;
    std::memcpy(&header, bytes.data(), sizeof(header));
    Elf64_Shdr section;
    const size_t at = header.e_shoff + sizeof(section);
    std::memcpy(&section, bytes.data() + at, sizeof(section));
    section.sh_size = UINT64_MAX;
    bytes.replace(at, sizeof(section), bytes_of(section));
    EXPECT_EQ(open(TemporaryFile(bytes)).section(".bss")->size, 0u);
}

TEST(ElfImage, FindsTextAcrossChunks) {
    constexpr size_t kChunk = 64 * 1024;
    for (const size_t at : {size_t{0}, kChunk - 4, kChunk - 1, kChunk, 2 * kChunk - 3, 3 * kChunk}) {
        std::string data(3 * kChunk + 100, '.');
        data.replace(at, 7, "needles");
        const TemporaryFile file(make_elf({{".rodata", data}}));
        const Image image = open(file);
        EXPECT_TRUE(image.section_contains(".rodata", "needles", data.size())) << at;
        EXPECT_FALSE(image.section_contains(".rodata", "needlez", data.size())) << at;
        EXPECT_FALSE(image.section_contains(".rodata", "needles", at + 3)) << at;
    }
}

TEST(ElfImage, FindsSymbolsAndLibraries) {
    auto sections =
        dynamic_sections({"libstdc++.so.6", "libc.so.6"}, std::string("graal_create\0my_rust_panic_x\0", 30));
    const TemporaryFile file(make_elf(sections));
    const Image image = open(file);
    EXPECT_THAT(image.needed(), ElementsAre("libstdc++.so.6", "libc.so.6"));
    EXPECT_TRUE(image.has_symbol_prefix("graal_"));
    EXPECT_FALSE(image.has_symbol_prefix("rust_panic"));
    EXPECT_TRUE(image.has_symbol_containing("rust_panic"));
    EXPECT_THAT(open(TemporaryFile(make_elf({}))).needed(), IsEmpty());
}

TEST(ElfImage, LibraryNamesOutsideTheTable) {
    auto sections = dynamic_sections({"libc.so.6"});
    sections[1].bytes = "x";
    EXPECT_THAT(open(TemporaryFile(make_elf(sections))).needed(), ElementsAre(""));
}

TEST(GoBuildInfo, ReadsPackageModuleAndVersion) {
    const TemporaryFile file(make_elf(
        {{".go.buildinfo", go_build_info("go1.22.1", "github.com/acme/shop/cmd/server", "github.com/acme/shop")}}));
    const auto info = read_go_build_info(open(file));
    ASSERT_TRUE(info);
    EXPECT_EQ(info->version, "go1.22.1");
    EXPECT_EQ(info->main_package, "github.com/acme/shop/cmd/server");
    EXPECT_EQ(info->main_module, "github.com/acme/shop");
}

TEST(GoBuildInfo, ReadsPointersOfOldGo) {
    // Go 1.17: two pointers to string headers, which point at the texts.
    std::string modules =
        std::string(16, '<') + "path\texample.org/old\nmod\texample.org/old\tv1\t\n" + std::string(16, '>');
    const std::uint64_t start = kBase + sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr);
    const std::uint64_t texts = start + 32 + 32;
    const auto word = [](std::uint64_t value) { return bytes_of(value); };
    std::string info("\xff Go buildinf:\x08\x00", 16);
    info += word(start + 32) + word(start + 48);
    info += word(texts) + word(8) + word(texts + 8) + word(modules.size());
    info += "go1.17.1" + modules;
    const TemporaryFile file(make_elf({{".go.buildinfo", info}}));
    const auto found = read_go_build_info(open(file));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->version, "go1.17.1");
    EXPECT_EQ(found->main_package, "example.org/old");
}

TEST(GoBuildInfo, IsAbsentOrEmptyWhenBroken) {
    EXPECT_FALSE(read_go_build_info(open(TemporaryFile(make_elf({{".text", "x"}})))));
    EXPECT_FALSE(read_go_build_info(open(TemporaryFile(make_elf({{".go.buildinfo", "short"}})))));
    EXPECT_FALSE(read_go_build_info(open(TemporaryFile(make_elf({{".go.buildinfo", std::string(64, 'x')}})))));
    std::string endless = go_build_info("go1.22.1", "p", "m").substr(0, 32) + std::string(16, '\xff');
    const auto info = read_go_build_info(open(TemporaryFile(make_elf({{".go.buildinfo", endless}}))));
    ASSERT_TRUE(info);
    EXPECT_EQ(info->version, "");
    EXPECT_EQ(info->main_package, "");
}

TEST(GoBuildInfo, ReadsThisMachinesPrograms) {
    // The test's own program is C++: sections, libraries, no Go.
    const auto self = Image::open("/proc/self/exe");
    ASSERT_TRUE(self);
    EXPECT_TRUE(self->has_section(".text"));
    EXPECT_THAT(self->needed(), testing::Contains(testing::StartsWith("libstdc++.so")));
    EXPECT_FALSE(read_go_build_info(*self));
}

}  // namespace
}  // namespace waggle::elf
