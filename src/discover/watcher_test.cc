// SPDX-License-Identifier: Apache-2.0
#include "discover/watcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstring>

#include "base/clock.h"
#include "bpf/abi/rules.h"
#include "config/load.h"
#include "proc/test_tree.h"

namespace waggle::discover {
namespace {

using proc::ProcTree;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint64_t kTick = 10'000'000;
constexpr std::uint32_t kOwnPid = 4'000'000;

config::Config configured(std::string_view yaml) {
    auto loaded = config::load(yaml, "test.yaml", {});
    if (!loaded) throw std::runtime_error(loaded.error().message);
    return loaded->config;
}

// What a Change says, in one word and number: "+5" added, "-5" removed, "x5" excluded; '*' with
// children.
std::vector<std::string> words(const std::vector<Change>& changes) {
    std::vector<std::string> all;
    for (const Change& change : changes) {
        const char* kind = change.kind == ChangeKind::Added ? "+" : change.kind == ChangeKind::Removed ? "-" : "x";
        all.push_back(kind + std::to_string(change.kernel_tgid) + (change.follows_children ? "*" : ""));
    }
    return all;
}

class WatcherTest : public testing::Test {
  protected:
    void watch(std::string_view yaml, bool is_first_namespace = true, std::string full_host_name = {}) {
        tree_.add({.pid = kOwnPid, .exe = "/opt/agent"});
        tree_.link(kOwnPid, "../self", std::to_string(kOwnPid));
        tree_.link(kOwnPid, "ns/pid", is_first_namespace ? "pid:[4026531836]" : "pid:[4026532222]");
        auto made = Watcher::create(configured(yaml), tree_.procfs(), kOwnPid, std::move(full_host_name));
        ASSERT_TRUE(made) << made.error().message;
        watcher_ = std::move(*made);
        watcher_->start();
    }
    static std::string services(std::string_view entries) {
        return "discovery: {services: " + std::string(entries) + "}";
    }

    wg_process_event event(enum wg_event_type type, std::uint32_t pid, std::uint32_t parent = 1) const {
        wg_process_event made{};
        made.head.type = type;
        made.start_ns = 100 * kTick + 4711;
        made.pid = made.kernel_tgid = pid;
        made.parent_pid = made.parent_kernel_tgid = parent;
        return made;
    }
    static void fill(wg_process_event& event, std::string_view path, std::string_view args) {
        std::memcpy(event.path, path.data(), path.size());
        std::memcpy(event.args, args.data(), args.size());
        event.args_size = static_cast<std::uint16_t>(args.size());
    }
    std::vector<std::string> changes() { return words(watcher_->take_changes()); }
    std::vector<std::string> lines(std::uint32_t pid) { return watcher_->explain(pid); }
    std::string service(std::uint32_t pid) const {
        const auto table = watcher_->table();
        const Target* target = table->find(pid);
        return target == nullptr ? "" : target->resource->service_name;
    }

    ProcTree tree_;
    std::unique_ptr<Watcher> watcher_;
};

TEST_F(WatcherTest, SelectsWhatRunsAlready) {
    tree_.add({.pid = 5, .exe = "/usr/bin/shop"});
    tree_.add({.pid = 6, .exe = "/usr/bin/cart"});
    tree_.add({.pid = 7, .exe = "/usr/bin/shop", .state = 'Z'});
    tree_.add({.pid = 8, .ppid = 2, .comm = "shop", .flags = 0x00200000});
    watch(services("[{exe_path: shop}]"));
    EXPECT_THAT(changes(), testing::UnorderedElementsAre("x4000000", "+5*"));
    EXPECT_EQ(service(5), "shop");
    EXPECT_EQ(watcher_->stats().targets, 1u);
}

// Nothing can be opened while it lives.
class NoDescriptors {
  public:
    NoDescriptors() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const rlimit none{.rlim_cur = 0, .rlim_max = before_.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &none);
    }
    ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

  private:
    rlimit before_{};
};

TEST_F(WatcherTest, LosesNobodyWhileNothingCanBeOpened) {
    tree_.add({.pid = 5, .exe = "/usr/bin/shop"});
    tree_.add({.pid = 6, .exe = "/usr/bin/cart"});
    tree_.listen(6, 8080, 4711);
    watch(services("[{exe_path: shop}, {open_ports: 8080}]"));
    changes();
    for (int scan = 0; scan < 3; ++scan) {
        const NoDescriptors none;
        watcher_->rescan();
    }
    EXPECT_THAT(changes(), IsEmpty());
    tree_.remove(5);
    watcher_->rescan();
    EXPECT_THAT(changes(), ElementsAre("-5"));
    EXPECT_EQ(watcher_->stats().targets, 1u);
}

// Its libraries tell the language only when they are loaded: so it is looked at again and again.
TEST_F(WatcherTest, AYoungProcessStaysTheSameTargetUntilMoreIsKnown) {
    const std::uint64_t now = clock_ns(CLOCK_BOOTTIME) / kTick;
    tree_.add({.pid = 5, .exe = "/opt/shop", .start_ticks = now});
    watch(services("[{exe_path: /shop$}]"));
    changes();
    const auto table = watcher_->table();
    ASSERT_NE(table->find(5), nullptr);
    watcher_->rescan();
    changes();
    EXPECT_EQ(watcher_->table()->find(5), table->find(5));
    tree_.write(5, "maps", "7f01-7f02 r-xp 00000000 fe:01 9 /usr/lib/libpython3.11.so.1.0\n");
    watcher_->rescan();
    changes();
    ASSERT_NE(watcher_->table()->find(5), table->find(5));
    EXPECT_EQ(watcher_->table()->find(5)->language, "python");
}

TEST_F(WatcherTest, SelectsByPortWhenItListens) {
    tree_.add({.pid = 5, .exe = "/usr/bin/shop"});
    watch(services("[{open_ports: 8080}]"));
    changes();
    auto listens = event(WG_EVENT_LISTEN, 5);
    listens.port = 8081;
    watcher_->on_listen(listens);
    EXPECT_THAT(changes(), IsEmpty());
    listens.port = 8080;
    watcher_->on_listen(listens);
    EXPECT_THAT(changes(), ElementsAre("+5*"));
    // Once selected it stays so.
    tree_.remove(5);
    tree_.add({.pid = 5, .exe = "/usr/bin/shop"});
    watcher_->rescan();
    EXPECT_THAT(changes(), IsEmpty());
    EXPECT_EQ(service(5), "shop");
}

TEST_F(WatcherTest, FindsListenersNoEventToldOf) {
    tree_.add({.pid = 5, .exe = "/usr/bin/shop"});
    tree_.add({.pid = 6, .exe = "/usr/bin/other", .net = 77});
    watch(services("[{any_listener: true}]"));
    changes();
    tree_.listen_unix(5, "/run/shop.sock", 4711);
    watcher_->rescan();
    EXPECT_THAT(changes(), ElementsAre("+5*"));
    tree_.listen(6, 80, 4712);
    watcher_->rescan();
    EXPECT_THAT(changes(), ElementsAre("+6*"));
}

TEST_F(WatcherTest, UnixListenersOfTheYoungAreFoundWithoutAScan) {
    watch(services("[{any_listener: true}]"));
    tree_.add({.pid = 5, .exe = "/usr/bin/shop"});
    watcher_->on_exec(event(WG_EVENT_EXEC, 5));
    changes();
    watcher_->look_at_young(101 * kTick);
    EXPECT_THAT(changes(), IsEmpty());
    tree_.listen_unix(5, "/run/shop.sock", 4711);
    watcher_->look_at_young(700 * kTick);  // it is old, and the table is not read
    EXPECT_THAT(changes(), IsEmpty());
    watcher_->look_at_young(560 * kTick);
    EXPECT_THAT(changes(), ElementsAre("+5*"));
    watcher_->look_at_young(561 * kTick);
    watcher_->rescan();
    EXPECT_THAT(changes(), IsEmpty());
}

// What a look at the young has read is news for the old of the namespace as well.
TEST_F(WatcherTest, UnixListenersOfTheOldAreNotOverlooked) {
    tree_.add({.pid = 4, .exe = "/usr/bin/old", .start_ticks = 1});
    watch(services("[{any_listener: true}]"));
    tree_.add({.pid = 5, .exe = "/usr/bin/shop"});
    watcher_->on_exec(event(WG_EVENT_EXEC, 5));
    changes();
    tree_.listen_unix(4, "/run/old.sock", 4711);
    watcher_->look_at_young(560 * kTick);
    watcher_->rescan();
    EXPECT_THAT(changes(), ElementsAre("+4*"));
}

TEST_F(WatcherTest, ListenersOfAnEndedProcessesNamespace) {
    // The first process that is asked has no table any more; the namespace's others have.
    tree_.add({.pid = 4, .exe = "/usr/bin/gone"});
    tree_.add({.pid = 5, .exe = "/usr/bin/shop"});
    tree_.listen(5, 80, 4711);
    tree_.add({.pid = 6, .exe = "/usr/bin/gone"});
    watch(services("[{open_ports: 80}]"));
    EXPECT_THAT(changes(), testing::UnorderedElementsAre("x4000000", "+5*"));
}

TEST_F(WatcherTest, KernelTookAListenerThatIsNotWanted) {
    tree_.add({.pid = 5, .exe = "/usr/bin/otelcol"});
    watch(services("[{any_listener: true}]"));
    EXPECT_THAT(changes(), testing::UnorderedElementsAre("x4000000", "x5"));
    tree_.add({.pid = 6, .exe = "/usr/bin/alloy"});
    auto listens = event(WG_EVENT_LISTEN, 6);
    listens.port = 80;
    listens.target_flags = WG_TARGET_SELECTED | WG_TARGET_CHILDREN;
    watcher_->on_listen(listens);
    EXPECT_EQ(changes().back(), "x6");
}

TEST_F(WatcherTest, ExecOfASelectedProgram) {
    watch(services("[{exe_path: shop}]"));
    changes();
    tree_.add({.pid = 5, .exe = "/usr/bin/shop"});
    watcher_->on_exec(event(WG_EVENT_EXEC, 5));
    EXPECT_THAT(changes(), ElementsAre("+5*"));
    watcher_->rescan();
    EXPECT_THAT(changes(), IsEmpty());
    watcher_->on_exit(event(WG_EVENT_EXIT, 5));
    EXPECT_THAT(changes(), ElementsAre("-5"));
    // Its last spans may still be on their way.
    EXPECT_EQ(service(5), "shop");
    EXPECT_TRUE(watcher_->table()->find(5, 100 * kTick)->is_ended);
    EXPECT_EQ(watcher_->table()->find(5, 200 * kTick), nullptr);
}

TEST_F(WatcherTest, ExecOfAProcessThatIsGoneAlready) {
    watch(services("[{cmd_args: 'orders.py'}]"));
    changes();
    auto exec = event(WG_EVENT_EXEC, 5);
    fill(exec, "/usr/bin/python3", std::string_view("python3\0orders.py\0", 18));
    watcher_->on_exec(exec);
    watcher_->on_exit(event(WG_EVENT_EXIT, 5));
    EXPECT_THAT(changes(), ElementsAre("+5*", "-5"));
    EXPECT_EQ(service(5), "orders");
}

// What an agent without CAP_SYS_PTRACE sees of other users' processes: no exe, but arguments.
TEST_F(WatcherTest, ExecOfAProcessThatMayNotBeLookedInto) {
    watch(services("[{exe_path: python3}]"));
    changes();
    tree_.add({.pid = 5, .exe = "/usr/bin/python3", .argv = {"python3", "orders.py"}});
    std::filesystem::remove(tree_.folder(5) + "/exe");
    auto exec = event(WG_EVENT_EXEC, 5);
    fill(exec, "/usr/bin/python3", std::string_view("python3\0orders.py\0", 18));
    watcher_->on_exec(exec);
    EXPECT_THAT(changes(), ElementsAre("+5*"));
    EXPECT_EQ(service(5), "orders");
    watcher_->rescan();
    EXPECT_EQ(service(5), "orders");
}

// It ends while it is looked into: its program could be read still, its arguments no more.
TEST_F(WatcherTest, ExecOfAProcessThatEndsWhileItIsLookedInto) {
    watch(services("[{exe_path: python3, cmd_args: 'orders.py'}]"));
    changes();
    tree_.add({.pid = 5, .exe = "/usr/bin/python3", .argv = {"python3"}});
    tree_.write(5, "cmdline", "");
    std::filesystem::remove(tree_.folder(5) + "/ns/net");
    auto exec = event(WG_EVENT_EXEC, 5);
    exec.netns = 4026531840;
    fill(exec, "/usr/bin/python3", std::string_view("python3\0orders.py\0", 18));
    watcher_->on_exec(exec);
    watcher_->on_exit(event(WG_EVENT_EXIT, 5));
    EXPECT_THAT(changes(), ElementsAre("+5*", "-5"));
    EXPECT_EQ(service(5), "orders");
}

TEST_F(WatcherTest, ExplainingHidesSecretArguments) {
    tree_.add(
        {.pid = 5, .exe = "/usr/bin/shop", .argv = {"shop", "--token", "sesame", "--db=postgres://u:sesame@db/x"}});
    watch(services("[{exe_path: shop}]"));
    EXPECT_THAT(lines(5), Contains("process 5: shop --token *** --db=postgres://***@db/x"));
}

TEST_F(WatcherTest, ExecIntoSomethingElse) {
    tree_.add({.pid = 5, .exe = "/usr/bin/shop"});
    tree_.add({.pid = 6, .exe = "/usr/bin/till"});
    watch(services("[{exe_path: shop}, {exe_path: till, children: false}]"));
    EXPECT_THAT(changes(), testing::UnorderedElementsAre("x4000000", "+5*", "+6"));
    tree_.add({.pid = 5, .exe = "/usr/bin/helper"});
    tree_.add({.pid = 6, .exe = "/usr/bin/helper"});
    watcher_->on_exec(event(WG_EVENT_EXEC, 5));
    watcher_->on_exec(event(WG_EVENT_EXEC, 6));
    EXPECT_THAT(changes(), ElementsAre("+5*", "-6"));
    EXPECT_THAT(lines(5), Contains("selected: was selected before it started this program (discovery.services[0])"));
    EXPECT_EQ(service(5), "helper");
}

TEST_F(WatcherTest, KernelTookAProgramThatIsNotWanted) {
    watch(services("[{exe_path: shop}]"));
    changes();
    tree_.add({.pid = 5, .exe = "/usr/bin/other"});
    auto exec = event(WG_EVENT_EXEC, 5);
    exec.target_flags = WG_TARGET_SELECTED;
    watcher_->on_exec(exec);
    EXPECT_THAT(changes(), ElementsAre("-5"));
}

TEST_F(WatcherTest, ChildrenFollow) {
    tree_.add({.pid = 5, .exe = "/usr/bin/shop"});
    tree_.add({.pid = 6, .ppid = 5, .exe = "/usr/bin/helper", .start_ticks = 101});
    tree_.add({.pid = 7, .ppid = 6, .exe = "/usr/bin/third", .start_ticks = 102});
    // Started in the same tick as its parent, with a lower number.
    tree_.add({.pid = 3, .ppid = 7, .exe = "/usr/bin/fourth", .start_ticks = 102});
    watch(services("[{exe_path: shop}]"));
    EXPECT_THAT(changes(), testing::UnorderedElementsAre("x4000000", "+5*", "+6*", "+7*", "+3*"));
    EXPECT_THAT(lines(6), Contains("selected: child of process 5 (discovery.services[0])"));
}

TEST_F(WatcherTest, ChildrenDoNotFollow) {
    tree_.add({.pid = 5, .exe = "/usr/bin/shop"});
    tree_.add({.pid = 6, .ppid = 5, .exe = "/usr/bin/helper"});
    watch(services("[{exe_path: shop, children: false}]"));
    EXPECT_THAT(changes(), testing::UnorderedElementsAre("x4000000", "+5"));
    // A fork is the same program until it calls exec.
    tree_.add({.pid = 8, .ppid = 5, .exe = "/usr/bin/shop"});
    watcher_->on_fork(event(WG_EVENT_FORK, 8, 5));
    EXPECT_THAT(changes(), ElementsAre("+8"));
    tree_.add({.pid = 8, .ppid = 5, .exe = "/usr/bin/helper"});
    watcher_->on_exec(event(WG_EVENT_EXEC, 8, 5));
    EXPECT_THAT(changes(), ElementsAre("-8"));
}

TEST_F(WatcherTest, KernelTookAForkThatIsNotWanted) {
    watch(services("[{exe_path: shop}]"));
    changes();
    auto fork = event(WG_EVENT_FORK, 8, 5);
    fork.target_flags = WG_TARGET_SELECTED | WG_TARGET_CHILDREN;
    watcher_->on_fork(fork);
    EXPECT_THAT(changes(), ElementsAre("-8"));
}

TEST_F(WatcherTest, ForkOfAWorkerIsTheSameInstance) {
    tree_.add({.pid = 5, .exe = "/usr/bin/shop"});
    watch(services("[{exe_path: shop}]"));
    watcher_->on_fork(event(WG_EVENT_FORK, 6, 5));
    watcher_->on_fork(event(WG_EVENT_FORK, 7, 6));
    EXPECT_THAT(changes(), testing::UnorderedElementsAre("x4000000", "+5*", "+6*", "+7*"));
    const auto table = watcher_->table();
    EXPECT_EQ(table->find(7)->resource, table->find(5)->resource);
    EXPECT_THAT(table->find(7)->resource->instance_id, testing::EndsWith(":5"));
}

TEST_F(WatcherTest, ExcludedChildrenAreNotFollowed) {
    tree_.add({.pid = 5, .exe = "/usr/bin/shop"});
    tree_.add({.pid = 6, .ppid = 5, .exe = "/usr/bin/helper"});
    watch("discovery: {services: [{exe_path: shop}], exclude_services: [{exe_path: helper}]}");
    EXPECT_THAT(changes(), testing::UnorderedElementsAre("x4000000", "+5*", "x6"));
    EXPECT_THAT(lines(6), Contains("excluded: executable matches helper (discovery.exclude_services[0])"));
    // What it becomes by exec is judged anew, and the kernel's bar goes.
    tree_.add({.pid = 6, .ppid = 1, .exe = "/usr/bin/other"});
    auto exec = event(WG_EVENT_EXEC, 6, 1);
    exec.target_flags = WG_TARGET_EXCLUDED | WG_TARGET_CHILDREN;
    watcher_->on_exec(exec);
    EXPECT_THAT(changes(), Contains("-6"));
}

TEST_F(WatcherTest, ReusedPidIsAnotherProcess) {
    tree_.add({.pid = 5, .exe = "/usr/bin/shop"});
    watch(services("[{exe_path: .}]"));
    changes();
    tree_.add({.pid = 5, .exe = "/usr/bin/till", .start_ticks = 900});
    watcher_->rescan();
    EXPECT_THAT(changes(), ElementsAre("-5", "+5*"));
    EXPECT_EQ(service(5), "till");
    // The first one's last spans may still be on their way.
    const auto table = watcher_->table();
    const Target* const ended = table->find(5, 100 * kTick);
    ASSERT_NE(ended, nullptr);
    EXPECT_TRUE(ended->is_ended);
    EXPECT_EQ(ended->resource->service_name, "shop");
    // The exit of the first one, told late, is not the second's.
    watcher_->on_exit(event(WG_EVENT_EXIT, 5));
    EXPECT_THAT(changes(), IsEmpty());
}

TEST_F(WatcherTest, VanishedProcessesGo) {
    tree_.add({.pid = 5, .exe = "/usr/bin/shop"});
    watch(services("[{exe_path: shop}]"));
    changes();
    tree_.remove(5);
    watcher_->rescan();
    EXPECT_THAT(changes(), ElementsAre("-5"));
    EXPECT_EQ(watcher_->stats().targets, 0u);
    EXPECT_THAT(lines(5), ElementsAre("there is no process 5"));
}

TEST_F(WatcherTest, ReloadJudgesAnew) {
    tree_.add({.pid = 5, .exe = "/usr/bin/shop"});
    tree_.add({.pid = 6, .exe = "/usr/bin/till"});
    tree_.add({.pid = 7, .ppid = 6, .exe = "/usr/bin/helper"});
    // Its parent comes after it in every order.
    tree_.add({.pid = 4, .ppid = 6, .exe = "/usr/bin/helper"});
    watch(
        "discovery: {services: [{exe_path: none}, {exe_path: none}, {exe_path: shop}], "
        "exclude_services: [{exe_path: till}]}");
    EXPECT_THAT(changes(), testing::UnorderedElementsAre("x4000000", "+5*", "x6"));
    ASSERT_TRUE(watcher_->reload(configured(services("[{exe_path: till, name: named}]"))));
    const auto after = changes();
    EXPECT_THAT(after, testing::IsSupersetOf({"-5", "+6*", "+7*", "+4*"}));
    EXPECT_EQ(service(6), "named");
    ASSERT_TRUE(watcher_->reload(configured(services("[{exe_path: till, name: again}]"))));
    EXPECT_THAT(changes(), Contains("+6*"));
    EXPECT_EQ(service(6), "again");
    ASSERT_TRUE(watcher_->reload(configured("discovery: {exclude_services: [{exe_path: till}]}")));
    EXPECT_THAT(changes(), testing::IsSupersetOf({"-6", "x6", "-7"}));
    ASSERT_TRUE(watcher_->reload(configured("")));
    EXPECT_THAT(changes(), Contains("-6"));
}

TEST_F(WatcherTest, TheHostsFullNameOutlivesAReload) {
    tree_.add({.pid = 5, .exe = "/usr/bin/shop"});
    watch(services("[{exe_path: shop}]"), true, "bee.hive.example");
    EXPECT_THAT(lines(5), Contains("instance: bee.hive.example:5"));
    ASSERT_TRUE(watcher_->reload(configured(services("[{exe_path: shop, name: again}]"))));
    EXPECT_THAT(lines(5), Contains("instance: bee.hive.example:5"));
    ASSERT_TRUE(watcher_->reload(
        configured("attributes: {instance_id: {override_hostname: wasp}}\n" + services("[{exe_path: shop}]"))));
    EXPECT_THAT(lines(5), Contains("instance: wasp:5"));
}

TEST_F(WatcherTest, InAPidNamespaceOfItsOwn) {
    tree_.add({.pid = 5, .exe = "/usr/bin/shop"});
    tree_.add({.pid = 6, .exe = "/usr/bin/otelcol"});
    watch(services("[{exe_path: .}]"), false);
    EXPECT_THAT(changes(), testing::UnorderedElementsAre("+0*", "x0", "x0"));
    watcher_->learn_kernel_tgid(5, 1005);
    watcher_->learn_kernel_tgid(6, 1006);
    watcher_->learn_kernel_tgid(9, 1009);
    EXPECT_THAT(changes(), ElementsAre("+1005*", "x1006"));
    EXPECT_EQ(watcher_->table()->find(5)->kernel_tgid, 1005u);
    watcher_->learn_kernel_tgid(5, 1005);
    EXPECT_THAT(changes(), IsEmpty());
    // Events tell both numbers.
    tree_.add({.pid = 7, .exe = "/usr/bin/till"});
    auto exec = event(WG_EVENT_EXEC, 7);
    exec.kernel_tgid = 1007;
    watcher_->on_exec(exec);
    EXPECT_THAT(changes(), ElementsAre("+1007*"));
    auto outside = event(WG_EVENT_EXEC, 0);
    outside.kernel_tgid = 2000;
    watcher_->on_exec(outside);
    EXPECT_THAT(changes(), IsEmpty());
}

TEST_F(WatcherTest, ExplainsWithWords) {
    tree_.add({.pid = 2, .ppid = 0, .flags = 0x00200000});
    tree_.add({.pid = 5, .exe = "/usr/bin/python3", .argv = {"python3", "orders.py"}, .cwd = "/srv"});
    tree_.listen(5, 8080, 4711);
    tree_.add({.pid = 6, .exe = "/usr/bin/cart"});
    watch(services("[{open_ports: 8080}]"));
    EXPECT_THAT(lines(2), ElementsAre("process 2 is a kernel thread"));
    EXPECT_THAT(lines(5),
                testing::IsSupersetOf({"process 5: python3 orders.py", "executable: /usr/bin/python3",
                                       "listens on port 8080", "selected: listens on port 8080 (discovery.services[0])",
                                       "service: orders (from script orders.py)", "language: python"}));
    EXPECT_THAT(lines(6), Contains("not selected: no selector matches"));
    EXPECT_THAT(lines(kOwnPid), Contains("excluded: the agent itself"));
}

}  // namespace
}  // namespace waggle::discover
