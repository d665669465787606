// SPDX-License-Identifier: Apache-2.0
#include "proc/procfs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <array>
#include <cstdio>

#include "proc/file.h"
#include "proc/host.h"
#include "proc/listening.h"
#include "proc/pid_namespace.h"
#include "proc/shadow_stack.h"
#include "proc/test_tree.h"

namespace waggle::proc {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

TEST(ProcFs, ListsProcessesOnly) {
    ProcTree tree;
    tree.add({.pid = 20});
    tree.add({.pid = 3});
    ProcTree::write_file(tree.root() + "/version", "Linux");
    std::filesystem::create_directories(tree.root() + "/12x");
    EXPECT_THAT(tree.procfs().pids(), ElementsAre(3, 20));
    EXPECT_THAT(ProcFs(tree.root() + "/none").pids(), IsEmpty());
}

TEST(ProcFs, ReadsStatBehindAnyName) {
    ProcTree tree;
    for (const char* name : {"program", "a b", "x) S 1 1", "((", "", ") R 7 (", "(sd-pam)"}) {
        tree.add({.pid = 5, .ppid = 4, .comm = name, .start_ticks = 123});
        const auto stat = tree.procfs().stat(5);
        ASSERT_TRUE(stat) << name;
        EXPECT_EQ(stat->comm, name);
        EXPECT_EQ(stat->ppid, 4u) << name;
        EXPECT_EQ(stat->start_ns, 123u * 10'000'000u) << name;
        EXPECT_FALSE(stat->is_kernel_thread || stat->is_dead);
    }
}

TEST(ProcFs, KnowsKernelThreadsAndTheDead) {
    ProcTree tree;
    tree.add({.pid = 2, .ppid = 0, .flags = 0x00208040});
    tree.add({.pid = 3, .state = 'Z'});
    EXPECT_TRUE(tree.procfs().stat(2)->is_kernel_thread);
    EXPECT_TRUE(tree.procfs().stat(3)->is_dead);
}

TEST(ProcFs, RefusesBrokenStat) {
    ProcTree tree;
    for (const char* text :
         {"", "5", "5 (x", "5 )x( S 1", "5 (x) S", "5 (x) S a 1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 9"}) {
        tree.write(5, "stat", text);
        EXPECT_FALSE(tree.procfs().stat(5)) << text;
    }
    EXPECT_FALSE(tree.procfs().stat(6));
}

TEST(ProcFs, ReadsArguments) {
    ProcTree tree;
    tree.add({.pid = 5, .argv = {"nginx", "-g", "daemon off;"}});
    EXPECT_THAT(tree.procfs().arguments(5), ElementsAre("nginx", "-g", "daemon off;"));
    // An empty argument counts; a title's blanks and NULs do not.
    tree.write(5, "cmdline", std::string("a\0\0b\0", 5));
    EXPECT_THAT(tree.procfs().arguments(5), ElementsAre("a", "", "b"));
    tree.write(5, "cmdline", std::string("nginx: worker process\0\0\0   \0", 28));
    EXPECT_THAT(tree.procfs().arguments(5), ElementsAre("nginx: worker process"));
    tree.write(5, "cmdline", "");
    EXPECT_THAT(tree.procfs().arguments(5), IsEmpty());
    EXPECT_THAT(tree.procfs().arguments(6), IsEmpty());
}

TEST(ProcFs, BoundsArguments) {
    ProcTree tree;
    tree.add({.pid = 5, .argv = std::vector<std::string>(1000, "x")});
    EXPECT_EQ(tree.procfs().arguments(5).size(), 256u);
    tree.add({.pid = 5, .argv = std::vector<std::string>(1000, std::string(5000, 'y'))});
    const auto arguments = tree.procfs().arguments(5);
    EXPECT_EQ(arguments.size(), 16u);
    EXPECT_EQ(arguments[0].size(), 1024u);
}

TEST(ProcFs, ReadsWantedVariablesOnce) {
    ProcTree tree;
    tree.add({.pid = 5, .environment = {"A=1", "AB=2", "A=3", "B", "=x", "C=a=b", "D="}});
    constexpr std::array<std::string_view, 4> kWanted{"A", "C", "D", "Z"};
    EXPECT_THAT(tree.procfs().environment(5, kWanted),
                UnorderedElementsAre(Pair("A", "1"), Pair("C", "a=b"), Pair("D", "")));
    tree.add({.pid = 5, .environment = {"A=" + std::string(10'000, 'x'), "C=1"}});
    EXPECT_THAT(tree.procfs().environment(5, kWanted), UnorderedElementsAre(Pair("C", "1")));
}

TEST(ProcFs, ReadsExecutable) {
    ProcTree tree;
    tree.add({.pid = 5, .exe = "/usr/sbin/nginx (deleted)"});
    tree.add({.pid = 6});
    EXPECT_EQ(tree.procfs().exe(5), "/usr/sbin/nginx");
    EXPECT_EQ(tree.procfs().exe(6), "");
    EXPECT_FALSE(tree.procfs().exe_file(6));
    tree.add({.pid = 7, .exe = "/bin/sh"});
    struct ::stat shell{};
    ASSERT_EQ(::stat("/bin/sh", &shell), 0);
    EXPECT_EQ(tree.procfs().exe_file(7), (FileId{.device = shell.st_dev, .inode = shell.st_ino}));
}

TEST(ProcFs, ReadsStatus) {
    ProcTree tree;
    tree.write(5, "status", "Name:\tx\nTgid:\t4\nUid:\t33\t0\t0\t0\nNSpid:\t500\t7\t1\n");
    const auto status = tree.procfs().status(5);
    ASSERT_TRUE(status);
    EXPECT_EQ(status->tgid, 4u);
    EXPECT_EQ(status->uid, 33u);
    EXPECT_THAT(status->ns_pids, ElementsAre(500, 7, 1));
}

TEST(ProcFs, ReadsNamespaces) {
    ProcTree tree;
    tree.add({.pid = 5, .net = 4026532999});
    EXPECT_EQ(tree.procfs().network_namespace(5), 4026532999u);
    EXPECT_FALSE(tree.procfs().shows_first_pid_namespace());
    EXPECT_EQ(tree.procfs().own_pid(), 0u);
    std::filesystem::create_symlink("5", tree.root() + "/self");
    EXPECT_EQ(tree.procfs().own_pid(), 5u);
    tree.link(5, "ns/pid", "pid:[4026531836]");
    EXPECT_TRUE(tree.procfs().shows_first_pid_namespace());
    // It lives deeper than what is shown: who has one number only tells where that is.
    tree.write(5, "status", "NSpid:\t5\t1\n");
    tree.link(5, "ns/pid", "pid:[4026532002]");
    tree.add({.pid = 7});
    tree.add({.pid = 8});
    tree.link(8, "ns/pid", "pid:[4026531836]");
    EXPECT_TRUE(tree.procfs().shows_first_pid_namespace());
    tree.link(8, "ns/pid", "pid:[4026532001]");
    EXPECT_EQ(shown_pid_namespace(tree.procfs()), 4026532001u);
}

TEST(ProcFs, ListsMappedFilesUntilToldToStop) {
    ProcTree tree;
    tree.write(5, "maps",
               "00400000-00401000 r-xp 00000000 08:01 1 /usr/bin/app\n00401000-00402000 r--p "
               "00000000 08:01 1 /usr/bin/app\n"
               "7f00-7f01 rw-p 00000000 00:00 0 \n7f02-7f03 r-xp 0 08:01 2 /usr/lib/lib with "
               "blank.so\n7f04-7f05 r-xp 0 0:0 0 [vdso]\n");
    std::vector<std::string> files;
    tree.procfs().each_mapped_file(5, [&](std::string_view name) {
        files.emplace_back(name);
        return true;
    });
    EXPECT_THAT(files, ElementsAre("/usr/bin/app", "/usr/lib/lib with blank.so"));
    files.clear();
    tree.procfs().each_mapped_file(5, [&](std::string_view name) {
        files.emplace_back(name);
        return false;
    });
    EXPECT_THAT(files, ElementsAre("/usr/bin/app"));
}

TEST(ShadowStack, IsTheFirstProcessorsWord) {
    ProcTree tree;
    EXPECT_FALSE(has_shadow_stacks(tree.procfs()));
    ProcTree::write_file(tree.root() + "/cpuinfo", "processor\t: 0\nflags\t\t: fpu vme user_shstk ibt\nbugs\t\t:\n");
    EXPECT_TRUE(has_shadow_stacks(tree.procfs()));
    ProcTree::write_file(tree.root() + "/cpuinfo", "flags\t\t: fpu shstk\nflags\t\t: user_shstk\n");
    EXPECT_FALSE(has_shadow_stacks(tree.procfs()));
}

TEST(ProcFs, ListsMappedCodeOnce) {
    ProcTree tree;
    tree.write(
        5, "maps",
        "00400000-00401000 r-xp 00000000 08:01 7 /usr/bin/app\n00401000-00402000 r-xp 00001000 08:01 7 /usr/bin/app\n"
        "7f00-7f01 r--p 00000000 08:01 8 /usr/lib/data.so\n7f02-7f03 r-xp 0 08:01 9          /usr/lib/lib with "
        "blank.so (deleted)\n"
        "7f04-7f05 r-xp 0 0:0 0 [vdso]\n7f06-7f07 rw-p 0 0:0 0\nbroken\n\n");
    const auto code = tree.procfs().mapped_code(5).value();
    ASSERT_EQ(code.size(), 2u);
    EXPECT_EQ(code[0], (MappedCode{.range = "400000-401000", .path = "/usr/bin/app", .inode = 7}));
    EXPECT_EQ(code[1], (MappedCode{.range = "7f02-7f03", .path = "/usr/lib/lib with blank.so", .inode = 9}));
    EXPECT_EQ(tree.procfs().mapped_code(6).error().code, ENOENT);
}

TEST(MappedCode, IsTheSameByQueryAndByText) {
    const std::string maps = "/proc/self/maps";
    const MappedCodes text = parse_mapped_code(maps).value();
    EXPECT_GT(text.size(), 3u);
    EXPECT_THAT(text, Contains(Field(&MappedCode::path, HasSubstr("/libc.so"))));
    EXPECT_EQ(read_mapped_code(maps).value(), text);
    struct utsname system{};
    ASSERT_EQ(::uname(&system), 0);
    unsigned major = 0;
    unsigned minor = 0;
    ASSERT_EQ(std::sscanf(system.release, "%u.%u", &major, &minor), 2);
    EXPECT_EQ(query_mapped_code(maps).has_value(), major > 6 || (major == 6 && minor >= 11));
    EXPECT_EQ(read_mapped_code("/proc/4194305/maps").error().code, ENOENT);
}

TEST(ProcFs, ListsSockets) {
    ProcTree tree;
    tree.add({.pid = 5});
    tree.link(5, "fd/0", "/dev/null");
    tree.link(5, "fd/1", "pipe:[12]");
    tree.link(5, "fd/3", "socket:[4711]");
    tree.link(5, "fd/4", "socket:[x]");
    EXPECT_THAT(tree.procfs().socket_inodes(5), ElementsAre(4711));
    EXPECT_THAT(tree.procfs().socket_inodes(6), IsEmpty());
}

TEST(ProcFs, ReadsInsideTheRootOnly) {
    ProcTree tree;
    tree.add({.pid = 5});
    tree.write_in_root(5, "/etc/passwd", "inside");
    EXPECT_EQ(tree.procfs().read_in_root(5, "/etc/passwd", 100), "inside");
    EXPECT_EQ(tree.procfs().read_in_root(5, "/etc/passwd", 3), "ins");
    // A container's link to the host's file is one to its own.
    std::filesystem::create_symlink("/etc/passwd", tree.folder(5) + "/root/etc/link");
    std::filesystem::create_symlink("../../../../../../../../etc/hostname", tree.folder(5) + "/root/etc/up");
    EXPECT_EQ(tree.procfs().read_in_root(5, "/etc/link", 100), "inside");
    EXPECT_EQ(tree.procfs().read_in_root(5, "/etc/up", 100), std::nullopt);
    EXPECT_EQ(tree.procfs().read_in_root(5, "/etc", 100), std::nullopt);
    EXPECT_EQ(tree.procfs().read_in_root(5, "/none", 100), std::nullopt);
    ASSERT_EQ(::mkfifo((tree.folder(5) + "/root/etc/pipe").c_str(), 0600), 0);
    EXPECT_EQ(tree.procfs().read_in_root(5, "/etc/pipe", 100), std::nullopt);
}

TEST(Listening, ReadsEveryTable) {
    ProcTree tree;
    tree.add({.pid = 5});
    tree.listen(5, 8080, 100);
    tree.write(5, "net/tcp6",
               std::string(ProcTree::kTcpHead) +
                   "   0: 00000000000000000000000000000000:01BB 00000000000000000000000000000000:0000 0A "
                   "00000000:00000000 00:00000000 00000000 0 0 101 1 0\n"
                   "   1: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000100007F:D431 01 "
                   "00000000:00000000 00:00000000 00000000 0 0 102 1 0\n");
    tree.listen_unix(5, "/run/shop sock", 103);
    tree.listen_unix(5, "@abstract", 104);
    EXPECT_THAT(*read_listening(tree.procfs(), 5, {}),
                UnorderedElementsAre(Pair(100, ListeningSocket{.port = 8080}), Pair(101, ListeningSocket{.port = 443}),
                                     Pair(103, ListeningSocket{.path = "/run/shop sock"}),
                                     Pair(104, ListeningSocket{.path = "@abstract"})));
    EXPECT_EQ(read_listening(tree.procfs(), 5, {.unix_sockets = false})->size(), 2u);
    EXPECT_FALSE(read_listening(tree.procfs(), 6, {}));
}

TEST(Listening, SurvivesGarbage) {
    ProcTree tree;
    tree.write(5, "net/tcp", "\n\n0A\n : : 0A\nx x:ZZZZ x 0A 1 2 3 4 5 6\n  0: 0:FFFFF 0 0A 1 2 3 4 5 77\n");
    tree.write(5, "net/unix", "x\n1 2 3 00010000\n" + std::string(40'000, 'x') + "\n1: 2 0 00010000 1 1 9 /p\n");
    EXPECT_THAT(*read_listening(tree.procfs(), 5, {}), UnorderedElementsAre(Pair(9, ListeningSocket{.path = "/p"})));
}

TEST(File, ReadsLines) {
    ProcTree tree;
    const std::string path = tree.root() + "/lines";
    const auto lines = [&](std::string_view text, size_t limit = 1 << 20) {
        ProcTree::write_file(path, text);
        std::vector<std::string> all;
        each_line(path, limit, [&](std::string_view line) {
            all.emplace_back(line);
            return true;
        });
        return all;
    };
    EXPECT_THAT(lines(""), IsEmpty());
    EXPECT_THAT(lines("a\n\nb"), ElementsAre("a", "", "b"));
    EXPECT_THAT(lines("a\n" + std::string(50'000, 'x') + "\nb\n"), ElementsAre("a", "b"));
    const std::string almost(16 * 1024 - 1, 'y');
    EXPECT_THAT(lines(almost + "\nz\n"), ElementsAre(almost, "z"));
}

TEST(Host, HasAnIdWhateverIsThere) {
    ProcTree tree;
    EXPECT_EQ(read_host(tree.root()).id, read_host(tree.root()).name);
    ProcTree::write_file(tree.root() + "/etc/machine-id", "uninitialized\n");
    EXPECT_EQ(read_host(tree.root()).id, read_host(tree.root()).name);
    ProcTree::write_file(tree.root() + "/var/lib/dbus/machine-id", "0123456789abcdef0123456789abcdef\n");
    EXPECT_EQ(read_host(tree.root()).id, "0123456789abcdef0123456789abcdef");
    ProcTree::write_file(tree.root() + "/etc/machine-id", "ff\n");
    EXPECT_EQ(read_host(tree.root()).id, "ff");
    EXPECT_FALSE(read_host(tree.root()).arch.empty());
}

}  // namespace
}  // namespace waggle::proc
