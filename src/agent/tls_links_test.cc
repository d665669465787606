// SPDX-License-Identifier: Apache-2.0
#include "agent/tls_links.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "proc/test_tree.h"

namespace waggle::agent {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Links as the kernel would have them, and that none was ever missing.
struct Linker : sensors::TlsLinker {
    Result<void> attach(std::uint32_t pid, std::uint32_t, const std::string&,
                        std::span<const sensors::TlsPlace>) override {
        if (refused.contains(pid)) return fail("it does not want to", refusal);
        own.insert(pid);
        return ok();
    }
    bool can_share(std::uint32_t, std::span<const sensors::TlsPlace>) const override { return is_able; }
    Result<void> share(std::uint32_t, const std::string&, std::span<const sensors::TlsPlace>) override {
        is_shared = true;
        stranger = false;
        if (on_share) on_share();
        return ok();
    }
    void unshare(std::uint32_t) override { is_shared = false; }
    bool has_stranger(std::uint32_t) const override { return stranger; }
    void detach_file(std::uint32_t, std::span<const std::uint32_t> pids) override {
        EXPECT_TRUE(is_shared || is_let_go);
        for (const std::uint32_t pid : pids) own.erase(pid);
    }
    std::set<std::uint32_t> own;
    std::set<std::uint32_t> refused;
    int refusal = EPERM;
    std::function<void()> on_share;
    bool is_able = true;
    bool is_shared = false;
    bool is_let_go = false;  // the process is to be read no longer
    bool stranger = false;
};

class Links : public ::testing::Test {
  protected:
    Links() {
        tree_.add({.pid = 1});
        tree_.link(1, "ns/pid", "pid:[4026531836]");
        file_.fd = open_self();
        struct ::stat status{};
        ::fstat(file_.fd.get(), &status);
        inode_ = status.st_ino;
        file_.path = "/lib/libssl.so.3";
        auto found = std::make_shared<TlsFile>();
        found->library = "openssl";
        found->places = {{.offset = 16, .site = WG_TLS_READ, .depth = 0}};
        file_.file = std::move(found);
    }
    static Fd open_self() { return Fd(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)); }
    TlsLinks make(std::size_t most_own = 256) {
        return {linker_,
                tree_.procfs(),
                {.most_own = most_own,
                 .is_selected = [this](std::uint32_t pid) { return selected_.contains(pid); },
                 .found = [this](std::uint32_t pid, const OpenTlsFile&) { let_in_.insert(pid); },
                 .lost = [this](std::uint32_t pid, const std::string&, const std::string&) { lost_.insert(pid); },
                 .failed = [this](std::uint32_t pid, const std::string&, const Error&) { failed_.insert(pid); }}};
    }
    void map(std::uint32_t pid, std::uint64_t inode, const std::string& path = "/lib/libssl.so.3") {
        tree_.add({.pid = pid});
        tree_.write(pid, "maps", "7f01-7f02 r-xp 00000000 fe:01 " + std::to_string(inode) + " " + path + "\n");
    }
    bool add(TlsLinks& links, std::uint32_t pid) {
        map(pid, inode_);
        selected_.insert(pid);
        return links.add(pid, file_, Clock::now() + 1s).has_value();
    }
    void add_all(TlsLinks& links, std::uint32_t count) {
        for (std::uint32_t pid = 100; pid < 100 + count; ++pid) EXPECT_TRUE(add(links, pid));
    }
    void settle(TlsLinks& links) {
        do links.go_on(Clock::now() + 1s);
        while (links.is_busy());
    }

    using Clock = TlsLinks::Clock;
    proc::ProcTree tree_;
    OpenTlsFile file_;
    std::uint64_t inode_ = 0;
    Linker linker_;
    std::set<std::uint32_t> selected_;
    std::set<std::uint32_t> lost_;
    std::set<std::uint32_t> let_in_;
    std::set<std::uint32_t> failed_;
};

TEST_F(Links, FewProcessesHaveTheirOwn) {
    TlsLinks links = make();
    add_all(links, TlsLinks::kShare - 1);
    settle(links);
    EXPECT_FALSE(linker_.is_shared);
    EXPECT_THAT(linker_.own, SizeIs(TlsLinks::kShare - 1));
}

TEST_F(Links, ManyProcessesShareOne) {
    TlsLinks links = make();
    add_all(links, 200);
    settle(links);
    EXPECT_TRUE(linker_.is_shared);
    EXPECT_THAT(linker_.own, IsEmpty());
}

TEST_F(Links, NotWhereAnotherOneMapsTheFile) {
    map(7, inode_, "/another/name");
    TlsLinks links = make();
    add_all(links, 40);
    settle(links);
    EXPECT_FALSE(linker_.is_shared);
    EXPECT_THAT(linker_.own, SizeIs(40));
}

TEST_F(Links, OtherFilesDoNotMatter) {
    map(7, inode_ + 1, "/lib/another.so");
    TlsLinks links = make();
    add_all(links, 40);
    settle(links);
    EXPECT_TRUE(linker_.is_shared);
}

TEST_F(Links, NotWhereTheKernelOrTheLibraryCannot) {
    linker_.is_able = false;
    TlsLinks links = make();
    add_all(links, 40);
    settle(links);
    EXPECT_FALSE(linker_.is_shared);
}

TEST_F(Links, NotWhereOnlySomeProcessesAreShown) {
    tree_.link(1, "ns/pid", "pid:[4026532000]");
    TlsLinks links = make();
    add_all(links, 40);
    settle(links);
    EXPECT_FALSE(linker_.is_shared);
}

TEST_F(Links, AStrangersCallGivesEachItsOwnAgain) {
    TlsLinks links = make();
    add_all(links, 100);
    settle(links);
    linker_.stranger = true;
    links.go_on(Clock::now());
    EXPECT_TRUE(linker_.is_shared);  // until all have theirs
    settle(links);
    EXPECT_FALSE(linker_.is_shared);
    EXPECT_THAT(linker_.own, SizeIs(100));
    EXPECT_THAT(lost_, IsEmpty());
}

TEST_F(Links, TheSecondLookFindsWhoBeganMeanwhile) {
    TlsLinks links = make();
    bool was_shared = false;
    linker_.on_share = [&] {
        was_shared = true;
        map(7, inode_);
    };
    add_all(links, 40);
    settle(links);
    EXPECT_TRUE(was_shared);
    EXPECT_THAT(linker_.own, SizeIs(Ge(TlsLinks::kShare)));  // they stay
    for (const auto end = Clock::now() + 30s; linker_.is_shared && Clock::now() < end;) settle(links);
    EXPECT_FALSE(linker_.is_shared);
    EXPECT_THAT(linker_.own, SizeIs(40));
}

// Of a child of a selected process it is heard later.
TEST_F(Links, OneThatIsSelectedMeanwhileIsNoStranger) {
    TlsLinks links = make();
    linker_.on_share = [&] { map(7, inode_); };
    add_all(links, 40);
    settle(links);
    ASSERT_FALSE(linker_.own.empty());
    selected_.insert(7);
    for (const auto end = Clock::now() + 30s; !linker_.own.empty() && Clock::now() < end;) settle(links);
    EXPECT_TRUE(linker_.is_shared);
    EXPECT_THAT(linker_.own, IsEmpty());
}

TEST_F(Links, OwnOnesHaveALimitAndASharedOneHasNone) {
    TlsLinks links = make(30);
    add_all(links, 50);
    settle(links);
    EXPECT_TRUE(linker_.is_shared);
    linker_.stranger = true;
    settle(links);
    EXPECT_FALSE(linker_.is_shared);
    EXPECT_THAT(linker_.own, SizeIs(30));
    EXPECT_THAT(lost_, SizeIs(20));
    EXPECT_FALSE(add(links, 1000));
}

// … for one link for all may take no limit: whether there is one takes a while to find out.
TEST_F(Links, WhoComesDuringALookWaitsForWhatItFinds) {
    for (const bool has_stranger : {false, true}) {
        let_in_.clear();
        failed_.clear();
        for (std::uint32_t pid = 2; pid < 60; ++pid) map(pid, has_stranger && pid == 2 ? inode_ : 1);
        TlsLinks links = make(20);
        for (std::uint32_t pid = 100; pid < 130; ++pid) {
            map(pid, inode_);
            selected_.insert(pid);
            const auto added = links.add(pid, file_, Clock::now());
            ASSERT_TRUE(added);
            EXPECT_EQ(*added == TlsLinks::Added::Read, pid < 120) << pid;
        }
        EXPECT_THAT(let_in_, IsEmpty());
        settle(links);
        EXPECT_EQ(linker_.is_shared, !has_stranger);
        EXPECT_THAT(has_stranger ? failed_ : let_in_, SizeIs(10));
        EXPECT_THAT(has_stranger ? let_in_ : failed_, IsEmpty());
        for (const std::uint32_t pid : selected_) links.remove(pid, file_.file);
        linker_.own.clear();
        linker_.is_shared = false;
    }
}

TEST_F(Links, WhoIsLeftOutCountsForOneLinkForAll) {
    TlsLinks links = make(5);
    for (std::uint32_t pid = 100; pid < 100 + TlsLinks::kShare; ++pid) EXPECT_EQ(add(links, pid), pid < 105);
    settle(links);
    EXPECT_TRUE(linker_.is_shared);
    EXPECT_THAT(let_in_, SizeIs(TlsLinks::kShare - 5));
}

TEST_F(Links, WhoCannotBeLetInIsToldAsThat) {
    map(7, inode_);
    TlsLinks links = make(2);
    for (std::uint32_t pid = 100; pid < 103; ++pid) EXPECT_EQ(add(links, pid), pid < 102);
    linker_.refused = {102};
    links.remove(100, file_.file);
    settle(links);
    EXPECT_THAT(failed_, testing::ElementsAre(102));
    EXPECT_THAT(let_in_, IsEmpty());
    EXPECT_THAT(lost_, IsEmpty());
}

TEST_F(Links, ForWantOfDescriptorsOneIsReadWhenThereAreSome) {
    map(7, inode_);
    TlsLinks links = make(2);
    for (std::uint32_t pid = 100; pid < 103; ++pid) add(links, pid);
    linker_.refused = {102};
    linker_.refusal = EMFILE;
    links.remove(100, file_.file);
    settle(links);
    EXPECT_THAT(failed_, testing::ElementsAre(102));
    EXPECT_THAT(links.read(), testing::ElementsAre(101));
    linker_.refused.clear();
    for (const auto end = Clock::now() + 30s; let_in_.empty() && Clock::now() < end;) settle(links);
    EXPECT_THAT(let_in_, testing::ElementsAre(102));
    EXPECT_THAT(links.read(), testing::ElementsAre(101, 102));
}

TEST_F(Links, TheSharedOneStaysUntilThereAreDescriptorsForOwnOnes) {
    TlsLinks links = make();
    add_all(links, 40);
    settle(links);
    ASSERT_TRUE(linker_.is_shared);
    linker_.stranger = true;
    linker_.refused = {110};
    linker_.refusal = EMFILE;
    settle(links);
    EXPECT_TRUE(linker_.is_shared);
    EXPECT_THAT(lost_, IsEmpty());
    linker_.refused.clear();
    for (const auto end = Clock::now() + 30s; linker_.is_shared && Clock::now() < end;) settle(links);
    EXPECT_FALSE(linker_.is_shared);
    EXPECT_THAT(linker_.own, SizeIs(40));
    EXPECT_THAT(lost_, IsEmpty());
}

TEST_F(Links, WhoFoundNoRoomIsReadWhenThereIsSome) {
    map(7, inode_);
    TlsLinks links = make(30);
    for (std::uint32_t pid = 100; pid < 150; ++pid) EXPECT_EQ(add(links, pid), pid < 130);
    settle(links);
    EXPECT_FALSE(linker_.own.contains(130));
    links.remove(100, file_.file);
    linker_.own.erase(100);
    links.remove(131, file_.file);
    settle(links);
    EXPECT_TRUE(linker_.own.contains(130));
    EXPECT_THAT(let_in_, testing::ElementsAre(130));
    tree_.remove(7);
    for (const auto end = Clock::now() + 30s; !linker_.is_shared && Clock::now() < end;) settle(links);
    ASSERT_TRUE(linker_.is_shared);
    EXPECT_THAT(let_in_, SizeIs(19));
    linker_.stranger = true;
    settle(links);
    EXPECT_THAT(linker_.own, SizeIs(30));
    EXPECT_THAT(lost_, SizeIs(18));  // all others were read
    for (const std::uint32_t pid : selected_) links.remove(pid, file_.file);
    EXPECT_FALSE(links.open({.range = "7f01-7f02", .path = file_.path, .inode = inode_}).is_open());
}

TEST_F(Links, HaveTheFileOpenWhileItIsRead) {
    TlsLinks links = make();
    const proc::MappedCode mapped{.range = "7f01-7f02", .path = file_.path, .inode = inode_};
    EXPECT_FALSE(links.open(mapped).is_open());
    EXPECT_TRUE(add(links, 100));
    struct ::stat status{};
    ASSERT_EQ(::fstat(links.open(mapped).get(), &status), 0);
    EXPECT_EQ(status.st_ino, inode_);
    EXPECT_FALSE(links.open({.range = mapped.range, .path = mapped.path, .inode = inode_ + 1}).is_open());
    EXPECT_FALSE(links.open({.range = mapped.range, .path = "/lib/another.so", .inode = inode_}).is_open());
    links.remove(100, file_.file);
    EXPECT_FALSE(links.open(mapped).is_open());
}

TEST_F(Links, OneThatIsLetGoLosesItsOwn) {
    TlsLinks links = make();
    add_all(links, 2);
    linker_.is_let_go = true;
    links.let_go(100, file_.file);
    links.let_go(100, file_.file);
    links.let_go(7, file_.file);
    EXPECT_THAT(linker_.own, ElementsAre(101));
    EXPECT_THAT(links.read(), ElementsAre(101));
    EXPECT_TRUE(add(links, 100));
    EXPECT_THAT(links.read(), ElementsAre(100, 101));
    EXPECT_THAT(links.read([](std::uint32_t pid, const auto&) { return pid != 100; }), ElementsAre(101));
}

TEST_F(Links, HalfOfTheOwnOnesAreLeftForWhoNeedsThem) {
    TlsLinks links = make(6);
    EXPECT_TRUE(links.has_room_for_more(file_.file));
    add_all(links, 2);
    EXPECT_TRUE(links.has_room_for_more(file_.file));
    add_all(links, 3);
    EXPECT_FALSE(links.has_room_for_more(file_.file));
}

TEST_F(Links, TheLastOneTakesTheSharedOneAlong) {
    TlsLinks links = make();
    add_all(links, 20);
    settle(links);
    ASSERT_TRUE(linker_.is_shared);
    for (const std::uint32_t pid : selected_) links.remove(pid, file_.file);
    EXPECT_FALSE(linker_.is_shared);
}

}  // namespace
}  // namespace waggle::agent
