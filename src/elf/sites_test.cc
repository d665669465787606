// SPDX-License-Identifier: Apache-2.0
#include "elf/sites.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "elf/image.h"
#include "elf/symbols.h"
#include "elf/test_elf.h"

namespace waggle::elf {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;

MATCHER_P2(SiteAt, address, depth, "") { return arg == Site{address, depth}; }

std::optional<std::string> nothing(std::uint64_t, std::uint64_t) { return std::nullopt; }

constexpr std::uint64_t kAt = 0x1000;

Sites sites_of(const std::string& code, unsigned arguments, const ReadCode& read = nothing,
               Convention convention = Convention::SystemV) {
    auto sites = find_sites(code, kAt, {.arguments = arguments, .convention = convention}, read);
    EXPECT_TRUE(sites) << sites.error().message;
    return sites.value_or(Sites{});
}

TEST(Sites, EntersAtThePushAndLeavesAtTheReturn) {
    // sub $8,%rsp; push %rbp; mov %rdi,%rax; ret
    const Sites sites = sites_of("\x48\x83\xec\x08\x55\x48\x89\xf8\xc3"s, 2);
    EXPECT_THAT(sites.enter, SiteAt(kAt + 4, 8u));
    EXPECT_THAT(sites.leave, ElementsAre(SiteAt(kAt + 8, 0u)));
}

TEST(Sites, StaysAtTheFirstByteWhenAnArgumentIsLostBefore) {
    // xor %esi,%esi; push %rbp; ret
    EXPECT_EQ(sites_of("\x31\xf6\x55\xc3"s, 2).enter.address, kAt);
    EXPECT_EQ(sites_of("\x31\xf6\x55\xc3"s, 1).enter.address, kAt + 2);
}

// A call whose return address is missing on the shadow stack comes back to a fault.
TEST(Sites, EntersAtNoCallWithAShadowStack) {
    const auto enter = [](const std::string& code, bool has_shadow_stack) {
        return find_sites(code, kAt, {.arguments = 1, .has_shadow_stack = has_shadow_stack}, nothing);
    };
    // sub $8,%rsp; call …; add $8,%rsp; ret
    const std::string code = "\x48\x83\xec\x08\xe8\x00\x00\x00\x00\x48\x83\xc4\x08\xc3"s;
    EXPECT_THAT(enter(code, false)->enter, SiteAt(kAt + 4, 8u));
    EXPECT_THAT(enter(code, true)->enter, SiteAt(kAt, 0u));
    EXPECT_FALSE(enter(code.substr(4), true));
    // push %rbp; pop %rbp; ret
    EXPECT_THAT(enter("\x90\x55\x5d\xc3"s, true)->enter, SiteAt(kAt + 1, 0u));
}

TEST(Sites, DoesNotEnterWhereALoopComesBackTo) {
    // sub $8,%rsp; push %rbp; jmp to the push
    EXPECT_EQ(sites_of("\x48\x83\xec\x08\x55\xeb\xfd\xc3"s, 1).enter.address, kAt);
}

TEST(Sites, LeavesAtTheStackProtector) {
    // push %rbx; sub %fs:0x28,%rdx; jne +2; pop %rbx; ret; call …
    const std::string code = "\x53\x64\x48\x2b\x14\x25\x28\x00\x00\x00\x75\x02\x5b\xc3\xe8\x00\x00\x00\x00"s;
    EXPECT_THAT(sites_of(code, 1).leave, ElementsAre(SiteAt(kAt + 10, 8u)));
}

TEST(Sites, LeavesAtTheReturnWhenTheResultIsSetAfterTheProtector) {
    // …; jne +4; xor %eax,%eax; pop %rbx; ret; call …
    const std::string code = "\x53\x64\x48\x2b\x14\x25\x28\x00\x00\x00\x75\x04\x31\xc0\x5b\xc3\xe8\x00\x00\x00\x00"s;
    EXPECT_THAT(sites_of(code, 1).leave, ElementsAre(SiteAt(kAt + 15, 0u)));
}

TEST(Sites, LeavesAtTheReturnWhenSomebodyComesInBehindTheProtector) {
    // push %rbx; jne to the pop; sub %fs:0x28,%rdx; jne +2; pop %rbx; ret; call …
    const std::string code = "\x53\x75\x0b\x64\x48\x2b\x14\x25\x28\x00\x00\x00\x75\x02\x5b\xc3\xe8\x00\x00\x00\x00"s;
    EXPECT_THAT(sites_of(code, 1).leave, ElementsAre(SiteAt(kAt + 15, 0u)));
}

TEST(Sites, AnOrdinaryJumpIsNoWayOut) {
    // push %rbx; test %eax,%eax; jne +2; pop %rbx; ret; pop %rbx; ret
    EXPECT_THAT(sites_of("\x53\x85\xc0\x75\x02\x5b\xc3\x5b\xc3"s, 1).leave,
                ElementsAre(SiteAt(kAt + 6, 0u), SiteAt(kAt + 8, 0u)));
}

TEST(Sites, FollowsAJumpToAnotherFunction) {
    // push %rbp; pop %rbp; jmp 0x2000, where: inc %eax; ret
    const ReadCode read = [](std::uint64_t address, std::uint64_t) -> std::optional<std::string> {
        return address == 0x2000 ? std::optional("\xff\xc0\xc3\xcc\xcc"s) : std::nullopt;
    };
    EXPECT_THAT(sites_of("\x55\x5d\xe9\xf9\x0f\x00\x00"s, 1, read).leave, ElementsAre(SiteAt(0x2002u, 0u)));
    EXPECT_FALSE(find_sites("\x55\x5d\xe9\xf9\x0f\x00\x00"s, kAt, {.arguments = 1}, nothing));
}

// Both sites tell the same stack, whatever was pushed between them: without it the end would not be this call's.
TEST(Sites, BothEndsTellTheStackOfTheCall) {
    // push %rbx (the entry); sub $16,%rsp; sub %fs:0x28,%rdx; jne +6 (the end); add $16,%rsp; pop %rbx; ret; call …
    const std::string code =
        "\x53\x48\x83\xec\x10\x64\x48\x2b\x14\x25\x28\x00\x00\x00\x75\x06\x48\x83\xc4\x10\x5b\xc3\xe8\x00\x00\x00\x00"s;
    const Sites sites = sites_of(code, 1);
    EXPECT_THAT(sites.enter, SiteAt(kAt, 0u));
    EXPECT_THAT(sites.leave, ElementsAre(SiteAt(kAt + 14, 24u)));
}

TEST(Sites, LeavesAtTheReturnWhenTheStackIsTakenFromTheFramePointer) {
    // push %rbp; sub %fs:0x28,%rdx; jne +2; leave; ret; call …
    const std::string code = "\x55\x64\x48\x2b\x14\x25\x28\x00\x00\x00\x75\x02\xc9\xc3\xe8\x00\x00\x00\x00"s;
    EXPECT_THAT(sites_of(code, 1).leave, ElementsAre(SiteAt(kAt + 13, 0u)));
}

TEST(Sites, DoesNotEnterWhereTheStackIsNotKnown) {
    // and $-16,%rsp; push %rbp; ret
    EXPECT_THAT(sites_of("\x48\x83\xe4\xf0\x55\xc3"s, 1).enter, SiteAt(kAt, 0u));
}

TEST(Sites, RefusesAWayOutThroughAPointer) {
    for (const std::string& code : {
             "\x55\x5d\xff\xe0"s,                          // push %rbp; pop %rbp; jmp *%rax
             "\x55\x48\x83\xc4\x08\xff\xe0"s,              // push %rbp; add $8,%rsp; jmp *%rax
             "\x55\x85\xc0\x75\x02\x5d\xc3\xff\x67\x10"s,  // …; ret; jmp *0x10(%rdi)
         }) {
        EXPECT_FALSE(find_sites(code, kAt, {.arguments = 1}, nothing));
        EXPECT_TRUE(find_sites(code, kAt, {.arguments = 1, .ends = false}, nothing));
    }
    // A switch: push %rbp; jmp *(%rdx,%rax,8); pop %rbp; ret
    EXPECT_THAT(sites_of("\x55\xff\x24\xc2\x5d\xc3"s, 1).leave, ElementsAre(SiteAt(kAt + 5, 0u)));
}

// cmp 0x10(%r14),%rsp; jbe to the end; push %rbp; pop %rbp; ret; call morestack; jmp to the begin
TEST(Sites, OfGoAreBehindTheLookAtTheStack) {
    const std::string code = "\x49\x3b\x66\x10\x76\x03\x55\x5d\xc3\xe8\x00\x00\x00\x00\xeb\xf0"s;
    const Sites sites = sites_of(code, 3, nothing, Convention::Go);
    EXPECT_THAT(sites.enter, SiteAt(kAt + 6, 0u));
    EXPECT_THAT(sites.leave, ElementsAre(SiteAt(kAt + 8, 0u)));
}

// Up to Go 1.19: … jbe to the end; sub $8,%rsp; mov %rdi,%rax; push-less.
TEST(Sites, OfGoAreTheLookWhenNothingBehindItIsCheap) {
    const std::string code = "\x4d\x3b\x66\x10\x76\x0b\x48\x83\xec\x08\x48\x89\xf8\x48\x83\xc4\x08\xc3"s;
    EXPECT_THAT(sites_of(code, 3, nothing, Convention::Go).enter, SiteAt(kAt + 4, 0u));
    EXPECT_FALSE(find_sites("\x55\x5d\xc3"s, kAt, {.arguments = 3, .convention = Convention::Go}, nothing));
}

TEST(Sites, RefusesAnotherProcessorsCode) {
    std::string bytes = make_elf({{".text", "\x55\x5d\xc3"s, SHT_PROGBITS, kBase + 120}});
    bytes[offsetof(Elf64_Ehdr, e_machine)] = static_cast<char>(EM_AARCH64);
    const TemporaryFile file(bytes);
    const auto image = Image::open(file.path());
    ASSERT_TRUE(image);
    const auto sites = find_sites(*image, {.address = kBase + 120, .size = 3}, {.arguments = 1});
    ASSERT_FALSE(sites);
    EXPECT_EQ(sites.error().message, "code of a processor that is not known");
}

TEST(Sites, RefusesWhatIsNoCode) {
    EXPECT_FALSE(find_sites("\x06\x07"s, kAt, {.arguments = 1}, nothing));
    EXPECT_FALSE(find_sites("", kAt, {.arguments = 1}, nothing));
    EXPECT_FALSE(find_sites("\x55\x90"s, kAt, {.arguments = 1}, nothing));  // never returns
}

// Debian's library: cheap places in all four functions, results at the stack protector's jump.
TEST(Sites, OfTheSystemsOpenssl) {
    const auto image = Image::open("/usr/lib/x86_64-linux-gnu/libssl.so.3");
    ASSERT_TRUE(image);
    const std::vector<std::string_view> names = {"SSL_read", "SSL_write", "SSL_read_ex", "SSL_write_ex"};
    const std::vector<Function> functions = find_functions(*image, names);
    ASSERT_EQ(functions.size(), names.size());
    for (const Function& function : functions) {
        SCOPED_TRACE(names[function.name]);
        const auto code = image->read_address(function.address, function.size);
        ASSERT_TRUE(code);
        const bool is_ex = names[function.name].ends_with("_ex");
        const auto sites = find_sites(*image, function, {.arguments = is_ex ? 4u : 2u});
        ASSERT_TRUE(sites) << sites.error().message;
        const auto byte_at = [&](Site at) {
            return static_cast<unsigned char>((*code)[at.address - function.address]);
        };
        EXPECT_EQ(byte_at(sites->enter), is_ex ? 0xe8 : 0x78);  // call, js
        const auto safe = find_sites(*image, function, {.arguments = is_ex ? 4u : 2u, .has_shadow_stack = true});
        ASSERT_TRUE(safe);
        EXPECT_NE(byte_at(safe->enter), 0xe8);
        ASSERT_EQ(sites->leave.size(), 1u);
        EXPECT_EQ(byte_at(sites->leave[0]), is_ex ? 0xc3 : 0x75);  // ret, jne
        EXPECT_GT(sites->enter.depth, 0u);
        EXPECT_EQ(sites->leave[0].depth, is_ex ? 0u : sites->enter.depth);
        EXPECT_EQ(image->offset_of(function.address).has_value(), true);
    }
}

TEST(Symbols, FindsOnlyWhatTheImageDefines) {
    const auto image = Image::open("/usr/lib/x86_64-linux-gnu/libssl.so.3");
    ASSERT_TRUE(image);
    // OPENSSL_sk_dup is libcrypto's.
    EXPECT_EQ(find_functions(*image, std::vector<std::string_view>{"OPENSSL_sk_dup", "no_such_function"}).size(), 0u);
}

}  // namespace
}  // namespace waggle::elf
