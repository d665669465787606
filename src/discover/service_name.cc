// SPDX-License-Identifier: Apache-2.0
#include "discover/service_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "discover/language.h"
#include "discover/names.h"
#include "discover/program_name.h"

namespace waggle::discover {
namespace {

// Programs that only start others.
constexpr std::array<std::string_view, 12> kWrappers{"env",       "tini",    "dumb-init",         "docker-init",
                                                     "catatonit", "sudo",    "runuser",           "su",
                                                     "gosu",      "su-exec", "start-stop-daemon", "setpriv"};
// One file, many programs: the first argument tells.
constexpr std::array<std::string_view, 3> kMultiCall{"busybox", "toybox", "coreutils"};

ProgramName interpreted_program(std::string_view language, const Process& process, const proc::ProcFs& procfs) {
    if (language == "python") return python_program(process);
    if (language == "nodejs" || language == "deno" || language == "bun") return node_program(process, procfs);
    if (language == "java") return java_program(process);
    if (language == "ruby") return ruby_program(process);
    if (language == "php") return php_program(process);
    if (language == "erlang") return erlang_program(process);
    if (language == "dotnet") return dotnet_program(process);
    return script_program(process);
}

// The name to use when an interpreter's arguments tell nothing: at least not the file's.
Program unknown_program(std::string_view language, const Process& process) {
    if (ProgramName name = name_directory(process, "program")) return *name;
    return {.name = std::string(language) + "-program", .from = "language", .is_interpreted = true};
}

Program executable_program(const Process& process, const elf::GoBuildInfo* go) {
    std::string_view name = base_name(process.exe);
    if (name.empty()) name = process.comm;
    if (!is_generic_name(name)) return {std::string(name), "executable"};
    if (go != nullptr)
        for (const std::string* package : {&go->main_package, &go->main_module})
            if (std::string found = go_package_name(*package); !found.empty())
                return {std::move(found), fmt::format("Go package {}", *package)};
    if (std::string directory = telling_directory(directory_of(process.exe)); !directory.empty())
        return {std::move(directory), fmt::format("directory of executable {}", process.exe)};
    return {std::string(name), "executable"};
}

// A unit, or a container, names its main process and that one's workers, not what these start (cron jobs, sessions).
// place: which of them.
bool is_main_program_of(std::string Process::* place, const Relative& self, const Ancestors& ancestors) {
    if ((self.process->*place).empty()) return false;
    return std::ranges::all_of(ancestors, [&](const Relative& ancestor) {
        if (ancestor.process->*place != self.process->*place || ancestor.process->pid == 1) return true;
        const std::string_view name = base_name(ancestor.process->exe);
        const bool is_wrapper =
            interpreter_of(name) == "shell" || std::ranges::find(kWrappers, name) != kWrappers.end();
        return is_wrapper || is_same_program(self, ancestor);
    });
}

// What began with the container, and not what is started in it later (docker exec, probes): that has a parent outside,
// too. Where the container has no pid namespace of its own nothing tells them apart.
bool began_with_container(const Relative& self, const Ancestors& ancestors) {
    const Process& first = ancestors.empty() ? *self.process : *ancestors.back().process;
    return first.own_pid == 1 || first.own_pid == first.pid;
}

const std::string* value_of(const std::vector<std::pair<std::string, std::string>>& attributes, std::string_view key) {
    // The last one counts, as for a map that is filled in order.
    for (auto at = attributes.rbegin(); at != attributes.rend(); ++at)
        if (at->first == key && !at->second.empty()) return &at->second;
    return nullptr;
}

}  // namespace

bool is_same_program(const Relative& a, const Relative& b) {
    const bool is_same_file = a.process->program != ProgramKey{}
                                  ? a.process->program == b.process->program
                                  : !a.process->exe.empty() && a.process->exe == b.process->exe;
    return is_same_file && (!a.program->is_interpreted || a.program->name == b.program->name);
}

bool runs_parents_program(const Process& process) {
    return std::ranges::any_of(process.argv, [](std::string_view argument) {
        return argument == "--multiprocessing-fork" || argument.starts_with("from multiprocessing.");
    });
}

Program name_program(const Process& process, const proc::ProcFs& procfs, const elf::GoBuildInfo* go) {
    std::string_view name = base_name(process.exe);
    if (std::ranges::find(kMultiCall, name) != kMultiCall.end() && !process.argv.empty()) {
        name = base_name(process.argv[0]);
        if (name == base_name(process.exe) && process.argv.size() > 1) name = process.argv[1];
        // Login shells have a '-' before their name.
        if (name.starts_with('-')) name.remove_prefix(1);
        if (interpreter_of(name).empty() && !name.empty())
            return {.name = std::string(name), .from = "command", .is_interpreted = true};
    }
    const std::string_view language = interpreter_of(name);
    if (language.empty() || go != nullptr) return executable_program(process, go);
    ProgramName found = interpreted_program(language, process, procfs);
    if (found && !found->name.empty() && (interpreter_of(found->name).empty() || !found->is_interpreted))
        return std::move(*found);
    return unknown_program(language, process);
}

Relative instance_of(const Relative& self, const Ancestors& ancestors) {
    Relative topmost = self;
    for (const Relative& ancestor : ancestors) {
        if (!is_same_program(self, ancestor)) break;
        topmost = ancestor;
    }
    return topmost;
}

ServiceName name_service(const Relative& self, const Ancestors& ancestors, const config::SelectorConfig& entry,
                         const std::vector<std::pair<std::string, std::string>>& resource_attributes) {
    ServiceName service{.service_namespace = entry.service_namespace};
    if (const std::string* space = value_of(resource_attributes, "service.namespace");
        space != nullptr && service.service_namespace.empty())
        service.service_namespace = *space;
    const auto named = [&](std::string name, std::string from) {
        service.name = std::move(name);
        service.from = std::move(from);
        return service;
    };
    if (!self.process->env_service_name.empty())
        return named(self.process->env_service_name, "OTEL_SERVICE_NAME of the process");
    if (const std::string* name = value_of(resource_attributes, "service.name"))
        return named(*name, "OTEL_RESOURCE_ATTRIBUTES of the process");
    if (!entry.name.empty()) return named(entry.name, "the selector's name");
    if (is_main_program_of(&Process::unit, self, ancestors)) {
        // shop@1: the template names the program.
        const std::string& unit = self.process->unit;
        return named(unit.substr(0, unit.find('@')), fmt::format("systemd unit {}", unit));
    }
    if (self.process->has_chosen_container && is_main_program_of(&Process::container_name, self, ancestors) &&
        began_with_container(self, ancestors))
        return named(self.process->container_name, fmt::format("container {}", self.process->container_name));
    return named(self.program->name, self.program->from);
}

}  // namespace waggle::discover
