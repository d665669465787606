// SPDX-License-Identifier: Apache-2.0
// From a process to its resource: languages, attributes, and what is read of events.
#include "discover/describe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "config/load.h"
#include "discover/process_reader.h"
#include "elf/test_elf.h"
#include "proc/test_tree.h"

namespace waggle::discover {
namespace {

using elf::TestSection;
using proc::ProcTree;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

const std::string kId(64, 'a');

class DescribeTest : public testing::Test {
  protected:
    // The program's file, under the test's folder.
    std::string file(const std::string& name, std::vector<TestSection> sections) const {
        const std::string path = tree_.root() + "/files/" + name;
        ProcTree::write_file(path, elf::make_elf(std::move(sections)));
        return path;
    }
    Process read(std::uint32_t pid) const {
        const auto stat = procfs_.stat(pid);
        auto process = read_process(procfs_, pid, *stat);
        complete_process(procfs_, containers_, *process);
        return *process;
    }
    Language language(std::uint32_t pid) {
        const Process process = read(pid);
        return detect_language(process, procfs_, executables_.of(process));
    }
    std::string language_of(const std::string& exe, std::vector<std::string> environment = {},
                            std::string_view maps = "") {
        tree_.add({.pid = 5, .exe = exe, .environment = std::move(environment)});
        tree_.write(5, "maps", maps);
        return language(5).name;
    }

    ProcTree tree_;
    proc::ProcFs procfs_{tree_.root()};
    mutable proc::ContainerNames containers_{procfs_};
    Executables executables_{procfs_};
};

TEST_F(DescribeTest, LanguageByName) {
    EXPECT_EQ(language_of("/usr/bin/python3.11"), "python");
    EXPECT_EQ(language_of("/opt/node-v20/bin/node"), "nodejs");
    EXPECT_EQ(language_of("/usr/bin/ruby3.1"), "ruby");
    EXPECT_EQ(language_of("/usr/sbin/php-fpm8.2"), "php");
    EXPECT_EQ(language_of("/usr/lib/jvm/bin/java"), "java");
    EXPECT_EQ(language_of("/usr/lib/erlang/erts-13/bin/beam.smp"), "erlang");
    EXPECT_EQ(language_of("/usr/bin/dotnet"), "dotnet");
    EXPECT_EQ(language_of("/usr/bin/perl5.36.0"), "perl");
    EXPECT_EQ(language_of("/usr/bin/bash"), "generic");
    EXPECT_EQ(language_of("/usr/bin/nodemon"), "generic");
}

TEST_F(DescribeTest, LanguageByFile) {
    EXPECT_EQ(language_of(file("go", {{".go.buildinfo", elf::go_build_info("go1.22", "shop", "shop")}})), "go");
    EXPECT_EQ(language_of(file("stripped-go", {{".gopclntab", "x"}})), "go");
    EXPECT_EQ(language_of(file("rust", elf::dynamic_sections({"libc.so.6"}, std::string("rust_panic\0", 11)))), "rust");
    EXPECT_EQ(language_of(file("stripped-rust", {{".rodata", "/rustc/9fc6b43/library/core/src"}})), "rust");
    EXPECT_EQ(language_of(file("native-java", {{".svm_heap", "x"}})), "java");
    EXPECT_EQ(language_of(file("single-file", elf::dynamic_sections({}, std::string("DotNetRuntimeInfo\0", 18)))),
              "dotnet");
    EXPECT_EQ(language_of(file("native", elf::dynamic_sections({"libstdc++.so.6"}))), "cpp");
    EXPECT_EQ(language_of(file("plain", elf::dynamic_sections({"libc.so.6"}))), "generic");
    // A Go program that is called as a runtime is.
    EXPECT_EQ(language_of(file("node", {{".go.buildinfo", elf::go_build_info("go1.22", "x", "x")}})), "go");
}

TEST_F(DescribeTest, LanguageByLibraries) {
    const auto mapped = [&](std::string_view path) {
        return language_of(file("app", elf::dynamic_sections({"libstdc++.so.6"})), {},
                           "7f-80 r-xp 0 08:01 1 " + std::string(path) + "\n");
    };
    EXPECT_EQ(mapped("/usr/lib/jvm/lib/server/libjvm.so"), "java");
    EXPECT_EQ(mapped("/app/libcoreclr.so"), "dotnet");
    EXPECT_EQ(mapped("/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0"), "python");
    EXPECT_EQ(mapped("/srv/libjvm.so.d/other.so"), "cpp");
    EXPECT_EQ(
        language_of("/usr/lib/postgresql/15/bin/postgres", {}, "7f-80 r-xp 0 08:01 1 /usr/lib/libpython3.11.so\n"),
        "generic");
}

TEST_F(DescribeTest, LanguageByEnvironmentIsNotFinal) {
    tree_.add({.pid = 5, .exe = file("api", {}), .environment = {"ASPNETCORE_URLS=http://+:80"}});
    EXPECT_EQ(language(5).name, "dotnet");
    EXPECT_FALSE(language(5).is_final);
    EXPECT_EQ(language_of("/srv/phpbox/server"), "php");
}

TEST_F(DescribeTest, WholeResource) {
    tree_.add({.pid = 5,
               .exe = "/usr/bin/python3",
               .argv = {"python3", "/srv/orders.py"},
               .cwd = "/srv",
               .cgroup = "0::/kubepods/pod7260904b-bb36-4f84-bd52-8ee4a8fd9a50/" + kId + "\n",
               .environment = {"OTEL_RESOURCE_ATTRIBUTES=team=blue,service.namespace=eu,process.pid=7,empty="},
               .uid = 33});
    tree_.write(1, "root/run/containerd/io.containerd.runtime.v2.task/k8s.io/" + kId + "/config.json",
                R"({"annotations":{"io.kubernetes.cri.container-name":"till"}})");
    tree_.write_in_root(5, "/etc/passwd", "root:x:0:0::/:/bin/sh\nwww-data:x:33:33::/:/bin/sh\n");
    auto loaded = config::load("attributes: {instance_id: {override_hostname: h1}, host_id: {override: id1}}", "t", {});
    ASSERT_TRUE(loaded) << loaded.error().message;
    Describer describer(loaded->config, procfs_);
    const Process process = read(5);
    const Program program = describer.program(process);
    const Description made = describer.describe({&process, &program}, {}, {});
    const spans::Resource& resource = *made.resource;
    EXPECT_EQ(resource.service_name, "till");
    EXPECT_EQ(resource.service_namespace, "eu");
    EXPECT_EQ(resource.instance_id, "h1:5");
    EXPECT_EQ(resource.language, "python");
    EXPECT_EQ(made.name_from, "container till");
    const auto& all = resource.attributes;
    EXPECT_TRUE(std::ranges::is_sorted(all));
    for (const auto& [key, value] : std::initializer_list<std::pair<std::string, std::string>>{
             {"container.id", kId},
             {"container.name", "till"},
             {"k8s.pod.uid", "7260904b-bb36-4f84-bd52-8ee4a8fd9a50"},
             {"host.name", "h1"},
             {"host.id", "id1"},
             {"os.type", "linux"},
             {"process.command", "python3"},
             {"process.executable.name", "python3"},
             {"process.executable.path", "/usr/bin/python3"},
             {"process.owner", "www-data"},
             {"process.pid", "7"},  // the program's own word counts
             {"process.runtime.name", "python"},
             {"team", "blue"}})
        EXPECT_THAT(all, Contains(Pair(key, value)));
    EXPECT_EQ(std::ranges::count(all, "process.pid", &std::pair<std::string, std::string>::first), 1);
    EXPECT_EQ(std::ranges::count(all, "empty", &std::pair<std::string, std::string>::first), 0);
}

TEST_F(DescribeTest, OwnerWithoutAName) {
    tree_.add({.pid = 5, .exe = "/bin/x", .uid = 12345});
    Describer describer({}, procfs_);
    const Process process = read(5);
    const Program program = describer.program(process);
    EXPECT_THAT(describer.describe({&process, &program}, {}, {}).resource->attributes,
                Contains(Pair("process.owner", "12345")));
}

TEST_F(DescribeTest, OwnerOfAProcessThatIsGoneIsNotKnown) {
    Describer describer({}, procfs_);
    Process process{.pid = 77, .exe = "/bin/x"};
    complete_process(procfs_, containers_, process);
    const Program program = describer.program(process);
    const Description made = describer.describe({&process, &program}, {}, {});
    for (const auto& [key, value] : made.resource->attributes) EXPECT_NE(key, "process.owner");
}

TEST_F(DescribeTest, AgentsAttributesForThoseWithoutTheirOwn) {
    config::Config config;
    config.resource_attributes = {{"region", "north"}, {"service.name", "never"}};
    Describer describer(config, procfs_);
    const auto resource = [&](std::vector<std::string> environment) {
        tree_.add({.pid = 5, .exe = "/bin/x", .environment = std::move(environment)});
        const Process process = read(5);
        const Program program = describer.program(process);
        return describer.describe({&process, &program}, {}, {}).resource;
    };
    EXPECT_THAT(resource({})->attributes, Contains(Pair("region", "north")));
    EXPECT_EQ(resource({})->service_name, "x");
    EXPECT_THAT(resource({"OTEL_RESOURCE_ATTRIBUTES=a=b"})->attributes,
                testing::Not(Contains(Pair("region", "north"))));
    EXPECT_EQ(resource({"OTEL_RESOURCE_ATTRIBUTES=service.instance.id=seven"})->instance_id, "seven");
}

TEST_F(DescribeTest, ProcessBeingStartedIsNothingYet) {
    tree_.add({.pid = 5, .exe = "/"});
    EXPECT_FALSE(read_process(procfs_, 5, *procfs_.stat(5)));
    tree_.add({.pid = 6});
    EXPECT_FALSE(read_process(procfs_, 6, *procfs_.stat(6)));
}

TEST(ProcessOfEvent, HasWhatTheKernelTold) {
    wg_process_event event{};
    event.pid = 7;
    event.kernel_tgid = 1007;
    event.parent_pid = 3;
    event.start_ns = 99;
    event.netns = 5;
    event.exe_inode = 11;
    event.exe_device = 8u << 20 | 1;
    std::memcpy(event.path, "/usr/bin/a-very-long-name", 25);
    std::memcpy(event.args, "a\0\0b\0", 5);
    event.args_size = 5;
    const Process process = process_of_event(event);
    EXPECT_EQ(process.pid, 7u);
    EXPECT_EQ(process.kernel_tgid, 1007u);
    EXPECT_EQ(process.ppid, 3u);
    EXPECT_EQ(process.exe, "/usr/bin/a-very-long-name");
    EXPECT_EQ(process.comm, "a-very-long-nam");
    EXPECT_THAT(process.argv, ElementsAre("a", "", "b"));
    EXPECT_EQ(process.program.inode, 11u);
    EXPECT_EQ(kernel_device(process.program.device), event.exe_device);
    // "#!/usr/bin/python3 -u" in /srv/shop.py
    wg_process_event script{};
    std::memcpy(script.path, "/srv/shop.py", 12);
    std::memcpy(script.args, "/usr/bin/python3\0-u\0/srv/shop.py\0", 33);
    script.args_size = 33;
    EXPECT_EQ(process_of_event(script).exe, "/usr/bin/python3");
    // Sizes are not to be trusted, and texts may fill their room.
    std::memset(event.path, 'p', sizeof(event.path));
    std::memset(event.args, 'x', sizeof(event.args));
    event.args_size = UINT16_MAX;
    EXPECT_EQ(process_of_event(event).exe.size(), sizeof(event.path));
    EXPECT_EQ(process_of_event(event).argv.front().size(), sizeof(event.args));
    event.args_size = 0;
    EXPECT_THAT(process_of_event(event).argv, IsEmpty());
}

}  // namespace
}  // namespace waggle::discover
