// SPDX-License-Identifier: Apache-2.0
// What programs are called: a table of command lines as they are seen in life.
#include "discover/service_name.h"

#include <gtest/gtest.h>

#include "discover/program_name.h"
#include "proc/test_tree.h"

namespace waggle::discover {
namespace {

struct Case {
    std::string exe;
    std::vector<std::string> argv;
    std::string cwd;
    std::string name;
};

std::ostream& operator<<(std::ostream& out, const Case& wanted) {
    for (const std::string& argument : wanted.argv) out << argument << ' ';
    return out << "in " << wanted.cwd;
}

class ProgramNames : public testing::TestWithParam<Case> {};

TEST_P(ProgramNames, SayWhatRuns) {
    const proc::ProcTree tree;
    const Case& wanted = GetParam();
    const Process process{.pid = 5, .exe = wanted.exe, .argv = wanted.argv, .cwd = wanted.cwd};
    EXPECT_EQ(name_program(process, tree.procfs(), nullptr).name, wanted.name);
}

const std::string kPython = "/usr/bin/python3.11";
INSTANTIATE_TEST_SUITE_P(
    Python, ProgramNames,
    testing::Values(
        Case{kPython, {"python3", "orders.py"}, "/srv/x", "orders"},
        Case{kPython, {"python3", "-u", "/srv/shop/app.py"}, "/", "shop"},
        Case{kPython, {"python3", "app.py"}, "/srv/shop", "shop"},
        Case{kPython, {"python3", "-X", "dev", "-W", "ignore", "cart.py"}, "/", "cart"},
        Case{kPython, {"python3", "-m", "http.server", "80"}, "/srv", "http.server"},
        Case{kPython, {"python3", "-mshop"}, "/", "shop"},
        Case{kPython, {"python3", "-m", "shop.__main__"}, "/", "shop"},
        Case{kPython, {"python3", "-m", "app"}, "/srv/shop", "shop"},
        Case{kPython, {"python3", "-m", "main"}, "/app", "main"},
        Case{kPython, {"python3", "-c", "print(1)"}, "/srv/shop", "shop"},
        Case{kPython, {"python3", "-c", "print(1)"}, "/", "python-program"},
        Case{kPython, {"python3"}, "/srv/shop", "shop"},
        Case{kPython, {"python3", "manage.py", "runserver"}, "/srv/books", "books"},
        Case{kPython, {"python3", "/usr/bin/gunicorn", "-w", "4", "shop.wsgi"}, "/", "shop"},
        Case{kPython, {"python3", "/usr/bin/gunicorn", "-w", "4", "-b", "0.0.0.0:80", "shop.wsgi:app"}, "/", "shop"},
        Case{kPython, {"python3", "/usr/bin/gunicorn", "--name", "till", "shop.wsgi"}, "/", "till"},
        Case{kPython, {"python3", "/usr/bin/gunicorn", "--name=till", "shop.wsgi"}, "/", "till"},
        Case{kPython, {"python3", "/usr/bin/gunicorn", "-n", "till", "shop.wsgi"}, "/", "till"},
        Case{kPython, {"python3", "/usr/bin/gunicorn", "app:app"}, "/srv/books", "books"},
        Case{kPython, {"python3", "/usr/bin/gunicorn", "shop:create_app('x')"}, "/", "shop"},
        Case{kPython, {"gunicorn: master [shop]"}, "/", "shop"},
        Case{kPython, {"gunicorn: worker [shop.wsgi:app]"}, "/", "shop"},
        Case{kPython, {"gunicorn: worker [app:app]"}, "/srv/books", "books"},
        Case{kPython, {"python3", "-m", "uvicorn", "shop.main:app", "--host", "::1"}, "/", "shop"},
        Case{kPython, {"python3", "/opt/venv/bin/uvicorn", "main:app", "--port", "80"}, "/srv/orders", "orders"},
        Case{kPython, {"python3", "/usr/bin/uvicorn", "--factory", "shop:create"}, "/", "shop"},
        Case{kPython, {"python3", "-m", "flask", "--app", "shop", "run"}, "/", "shop"},
        Case{kPython, {"python3", "-m", "flask", "run"}, "/srv/shop", "shop"},
        Case{kPython, {"python3", "/usr/bin/celery", "-A", "proj", "worker"}, "/", "proj"},
        Case{kPython, {"[celeryd: celery@host:ForkPoolWorker-1]"}, "/srv/shop", "shop"},
        Case{kPython, {"python3", "-Im", "uvicorn", "shop:app"}, "/", "shop"},
        Case{"/usr/bin/pypy3", {"pypy3", "cart.py"}, "/", "cart"}));

INSTANTIATE_TEST_SUITE_P(
    Java, ProgramNames,
    testing::Values(
        Case{"/usr/bin/java", {"java", "-Xmx1g", "-jar", "/opt/shop/shop-1.2.jar", "--port", "80"}, "/", "shop"},
        Case{"/usr/bin/java", {"java", "-jar", "app.jar"}, "/srv/shop", "shop"},
        Case{"/usr/bin/java", {"java", "-jar", "app.jar"}, "/app", "app"},
        Case{"/usr/bin/java", {"java", "-cp", "a.jar:b.jar", "com.acme.shop.Main"}, "/", "shop"},
        Case{"/usr/bin/java", {"java", "-classpath", "x", "com.acme.Shop"}, "/", "Shop"},
        Case{"/usr/bin/java", {"java", "com.acme.shop.MainKt"}, "/", "shop"},
        Case{"/usr/bin/java", {"java", "Courier"}, "/", "Courier"},
        Case{"/usr/bin/java", {"java", "--source", "17", "Courier.java"}, "/", "Courier"},
        Case{"/usr/bin/java", {"java", "/srv/shop/Main.java"}, "/", "shop"},
        Case{"/usr/bin/java", {"java", "@arguments", "-cp", "x", "com.acme.Shop"}, "/", "Shop"},
        Case{"/usr/bin/java", {"java", "-p", "mods", "-m", "acme.shop/com.acme.shop.Till"}, "/", "Till"},
        Case{"/usr/bin/java", {"java", "--module", "acme.shop/com.acme.shop.Main"}, "/", "shop"},
        Case{"/usr/bin/java", {"java", "-Dotel.service.name=named", "-jar", "x.jar"}, "/", "named"},
        Case{"/usr/bin/java", {"java", "-Dspring.application.name=till", "-jar", "x.jar"}, "/", "till"},
        Case{"/usr/bin/java", {"java", "-cp", "x", "org.apache.catalina.startup.Bootstrap", "start"}, "/", "tomcat"},
        Case{"/usr/bin/java", {"java", "-cp", "x", "org.springframework.boot.loader.JarLauncher"}, "/srv/shop", "shop"},
        Case{"/usr/bin/java",
             {"java", "--add-opens", "java.base/java.lang=ALL-UNNAMED", "-jar", "shop.jar"},
             "/",
             "shop"},
        Case{"/usr/bin/java", {"java"}, "/", "java-program"}));

INSTANTIATE_TEST_SUITE_P(
    Node, ProgramNames,
    testing::Values(
        Case{"/usr/bin/node", {"node", "basket.js"}, "/", "basket"},
        Case{"/usr/bin/node", {"node", "dist/index.js"}, "/srv/shop", "shop"},
        Case{"/usr/bin/node", {"node", "--require", "./tracing.js", "cart.mjs"}, "/", "cart"},
        Case{"/usr/bin/node", {"node", "--inspect=9229", "/srv/shop/server.js"}, "/", "shop"},
        Case{"/usr/bin/node", {"node", "-e", "require('http').createServer().listen(80)"}, "/srv/shop", "shop"},
        Case{"/usr/bin/node", {"node", "--eval", "x/y"}, "/", "nodejs-program"},
        Case{"/usr/bin/node", {"node", "/srv/shop/node_modules/.bin/next", "start"}, "/srv/shop", "shop"},
        Case{"/usr/bin/node", {"next-server (v14.1.0)"}, "/srv/shop", "shop"},
        Case{"/usr/bin/node", {"npm start"}, "/srv/shop", "shop"},
        Case{"/usr/bin/deno", {"deno", "run", "--allow-net", "cart.ts"}, "/", "cart"},
        Case{"/usr/bin/bun", {"bun", "cart.ts"}, "/", "cart"}));

INSTANTIATE_TEST_SUITE_P(
    Others, ProgramNames,
    testing::Values(
        Case{"/usr/bin/ruby3.1", {"ruby", "catalog.rb"}, "/", "catalog"},
        Case{"/usr/bin/ruby3.1", {"puma 5.6.5 (tcp://[::]:80) [billing]"}, "/", "billing"},
        Case{"/usr/bin/ruby3.1", {"puma: cluster worker 0: 12 [billing]"}, "/", "billing"},
        Case{"/usr/bin/ruby3.1", {"ruby", "-Ilib", "bin/rails", "server"}, "/srv/shop", "shop"},
        Case{"/usr/bin/ruby3.1", {"sidekiq 7.1.0 billing [0 of 5 busy]"}, "/srv/billing", "billing"},
        Case{"/usr/bin/ruby3.1", {"ruby", "-e", "run"}, "/srv/shop", "shop"},
        Case{"/usr/bin/php8.2", {"php", "-S", "[::]:80", "-t", "/srv/gallery/public"}, "/", "gallery"},
        Case{"/usr/bin/php8.2", {"php", "-S", "[::]:80", "router.php"}, "/srv/gallery", "gallery"},
        Case{"/usr/bin/php8.2", {"php", "artisan", "serve"}, "/srv/shop", "shop"},
        Case{"/usr/bin/php8.2", {"php", "worker.php"}, "/", "worker"},
        Case{"/usr/sbin/php-fpm8.2", {"php-fpm: pool www"}, "/", "php-fpm"},
        Case{"/usr/sbin/php-fpm8.2", {"php-fpm: pool shop"}, "/", "shop"},
        Case{"/usr/sbin/php-fpm8.2", {"php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)"}, "/", "php-fpm"},
        Case{"/usr/bin/dotnet", {"dotnet", "/app/Shop.Api.dll"}, "/", "Shop.Api"},
        Case{"/usr/bin/dotnet", {"dotnet", "exec", "app.dll"}, "/srv/shop", "shop"},
        Case{"/usr/bin/dotnet", {"dotnet", "run"}, "/srv/shop", "shop"},
        Case{"/usr/bin/mono-sgen", {"mono", "till.exe"}, "/", "till"},
        Case{"/usr/lib/erlang/erts/bin/beam.smp",
             {"beam.smp", "--", "-root", "/usr/lib/erlang", "-s", "weather", "start"},
             "/",
             "weather"},
        Case{"/usr/lib/erlang/erts/bin/beam.smp",
             {"beam.smp", "-s", "elixir", "start_cli", "-extra", "mix", "phx.server"},
             "/srv/shop",
             "shop"},
        Case{"/usr/lib/erlang/erts/bin/beam.smp", {"beam.smp", "-sname", "shop@host"}, "/", "shop"},
        Case{"/usr/bin/perl", {"perl", "-Ilib", "tickets.pl", "daemon"}, "/", "tickets"},
        Case{"/usr/bin/perl", {"perl", "-we", "run/x"}, "/srv/shop", "shop"},
        Case{"/usr/bin/lua5.4", {"lua", "till.lua"}, "/", "till"},
        Case{"/usr/bin/bash", {"bash", "-lc", "x/y"}, "/srv/shop", "shop"},
        Case{"/usr/bin/bash", {"/bin/bash", "/srv/till.sh"}, "/", "till"},
        Case{"/bin/busybox", {"httpd", "-f"}, "/", "httpd"},
        Case{"/bin/busybox", {"busybox", "httpd", "-f"}, "/", "httpd"},
        Case{"/usr/sbin/nginx", {"nginx: worker process"}, "/", "nginx"},
        Case{"/srv/shop/bin/server", {"./server"}, "/", "shop"}, Case{"/app/main", {"/app/main"}, "/", "main"},
        Case{"", {"x"}, "/", ""}));

TEST(ProgramName, NodesPackage) {
    proc::ProcTree tree;
    tree.add({.pid = 5});
    tree.write_in_root(5, "/srv/shop/package.json", R"({"name": "@acme/shop-api"})");
    tree.write_in_root(5, "/srv/plain/package.json", R"({"name": "app"})");
    const auto name = [&](std::vector<std::string> argv, std::string cwd) {
        return name_program({.pid = 5, .exe = "/usr/bin/node", .argv = std::move(argv), .cwd = std::move(cwd)},
                            tree.procfs(), nullptr)
            .name;
    };
    EXPECT_EQ(name({"node", "/srv/shop/src/server.js"}, "/"), "shop-api");
    EXPECT_EQ(name({"node", "server.js"}, "/srv/shop"), "shop-api");
    EXPECT_EQ(name({"npm start"}, "/srv/shop"), "shop-api");
    EXPECT_EQ(name({"node", "/srv/shop/node_modules/.bin/next"}, "/srv/shop"), "shop-api");
    EXPECT_EQ(name({"node", "server.js"}, "/srv/plain"), "plain");
}

TEST(ProgramName, GoModule) {
    const proc::ProcTree tree;
    const elf::GoBuildInfo info{.main_package = "github.com/acme/shop/cmd/server",
                                .main_module = "github.com/acme/shop"};
    const auto name = [&](std::string exe) { return name_program({.exe = std::move(exe)}, tree.procfs(), &info).name; };
    EXPECT_EQ(name("/app/server"), "shop");
    EXPECT_EQ(name("/usr/bin/catalog"), "catalog");
    EXPECT_EQ(name("/tmp/go-build123/b001/exe/main"), "shop");
    // A Go program may be called as an interpreter is.
    EXPECT_EQ(name("/usr/bin/bun"), "bun");
}

Relative relative(const Process& process, const Program& program) { return {&process, &program}; }

const config::SelectorConfig kNoName;

TEST(ServiceName, OrderOfWhoMaySayIt) {
    const Program program{.name = "program", .from = "executable"};
    Process process{.pid = 5, .exe = "/program"};
    const auto named = [&](const config::SelectorConfig& entry,
                           const std::vector<std::pair<std::string, std::string>>& own = {}) {
        return name_service(relative(process, program), {}, entry, own);
    };
    EXPECT_EQ(named(kNoName).name, "program");
    process.container_name = "quirky_einstein";
    process.own_pid = 1;
    EXPECT_EQ(named(kNoName).name, "program");
    process.container_name = "web";
    process.has_chosen_container = true;
    EXPECT_EQ(named(kNoName).name, "web");
    EXPECT_EQ(named(kNoName).from, "container web");
    process.unit = "shop@eu";
    EXPECT_EQ(named(kNoName).name, "shop");
    EXPECT_EQ(named({.name = "chosen", .service_namespace = "space"}).name, "chosen");
    EXPECT_EQ(named({.name = "chosen", .service_namespace = "space"}).service_namespace, "space");
    EXPECT_EQ(named({.name = "chosen"}, {{"service.name", "own"}, {"service.namespace", "mine"}}).name, "own");
    EXPECT_EQ(named({.name = "chosen"}, {{"service.name", "own"}, {"service.namespace", "mine"}}).service_namespace,
              "mine");
    EXPECT_EQ(named(kNoName, {{"service.name", "a"}, {"service.name", "b"}}).name, "b");
    EXPECT_EQ(named(kNoName, {{"service.name", ""}}).name, "shop");
    process.env_service_name = "variable";
    EXPECT_EQ(named({.name = "chosen"}, {{"service.name", "own"}}).name, "variable");
}

TEST(ServiceName, UnitNamesItsProgramNotWhatThatStarts) {
    const Process systemd{.pid = 1, .exe = "/usr/lib/systemd/systemd"};
    const Process shell{.pid = 3, .exe = "/bin/sh", .unit = "shop"};
    const Process cron{.pid = 4, .exe = "/usr/sbin/cron", .unit = "cron"};
    const Program any{.name = "any", .from = "executable"};
    const Process main{.pid = 5, .exe = "/opt/shop", .unit = "shop"};
    EXPECT_EQ(name_service(relative(main, any), {relative(shell, any), relative(systemd, any)}, kNoName, {}).name,
              "shop");
    const Process job{.pid = 6, .exe = "/opt/job", .unit = "cron"};
    EXPECT_EQ(name_service(relative(job, any), {relative(cron, any), relative(systemd, any)}, kNoName, {}).name, "any");
}

TEST(ServiceName, ContainerNamesItsMainProgram) {
    const Program any{.name = "any", .from = "executable"};
    const auto process = [](std::uint32_t pid, std::string exe, std::uint32_t own_pid) {
        Process made{.pid = pid, .exe = std::move(exe)};
        made.container_name = "web";
        made.has_chosen_container = true;
        made.own_pid = own_pid;
        return made;
    };
    const auto name = [&](const Process& self, const Ancestors& ancestors) {
        return name_service(relative(self, any), ancestors, kNoName, {}).name;
    };
    const Process init = process(7, "/sbin/docker-init", 1);
    const Process nginx = process(8, "/usr/sbin/nginx", 6);
    const Process worker = process(9, "/usr/sbin/nginx", 7);
    const Process supervisor = process(7, "/usr/bin/supervisord", 1);
    EXPECT_EQ(name(nginx, {relative(init, any)}), "web");
    EXPECT_EQ(name(worker, {relative(nginx, any), relative(init, any)}), "web");
    EXPECT_EQ(name(nginx, {relative(supervisor, any)}), "any");
    // By docker exec: with a parent outside.
    const Process shell = process(20, "/bin/sh", 30);
    const Process curl = process(21, "/usr/bin/curl", 31);
    EXPECT_EQ(name(curl, {}), "any");
    EXPECT_EQ(name(curl, {relative(shell, any)}), "any");
    // In the host's pid namespace.
    EXPECT_EQ(name(process(8, "/usr/sbin/nginx", 8), {}), "web");
}

TEST(Instance, IsTheTopmostOfTheProgram) {
    const Program nginx{.name = "nginx", .from = "executable"};
    const Program shell{.name = "run", .from = "script", .is_interpreted = true};
    const Process parent{.pid = 3, .exe = "/bin/sh"};
    const Process master{.pid = 4, .exe = "/usr/sbin/nginx"};
    const Process worker{.pid = 5, .exe = "/usr/sbin/nginx"};
    EXPECT_EQ(instance_of(relative(worker, nginx), {relative(master, nginx), relative(parent, shell)}).process->pid,
              4u);
    EXPECT_EQ(instance_of(relative(master, nginx), {relative(parent, shell)}).process->pid, 4u);
    EXPECT_EQ(instance_of(relative(master, nginx), {}).process->pid, 4u);
}

TEST(Instance, WhatMayNotBeLookedIntoIsNobodysTwin) {
    const Program worker{.name = "nginx", .from = "executable"};
    const Process child{.pid = 5, .comm = "nginx"};
    const Process first{.pid = 1, .comm = "nginx"};
    EXPECT_EQ(instance_of(relative(child, worker), {relative(first, worker)}).process->pid, 5u);
}

TEST(Instance, InterpretersRunManyPrograms) {
    const Program orders{.name = "orders", .from = "script", .is_interpreted = true};
    const Program prices{.name = "prices", .from = "script", .is_interpreted = true};
    const Process parent{.pid = 4, .exe = "/usr/bin/python3"};
    const Process child{.pid = 5, .exe = "/usr/bin/python3"};
    EXPECT_EQ(instance_of(relative(child, prices), {relative(parent, orders)}).process->pid, 5u);
    EXPECT_EQ(instance_of(relative(child, orders), {relative(parent, orders)}).process->pid, 4u);
    EXPECT_TRUE(
        runs_parents_program({.argv = {"python3", "-c", "from multiprocessing.spawn import spawn_main; spawn_main()",
                                       "--multiprocessing-fork"}}));
    EXPECT_FALSE(runs_parents_program({.argv = {"python3", "orders.py"}}));
}

}  // namespace
}  // namespace waggle::discover
