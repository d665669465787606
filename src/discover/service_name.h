// SPDX-License-Identifier: Apache-2.0
// Service names: what a person would call the program, and the order of who may say it (Beyla
// §15.1, then systemd unit, then the program; docs/configuration.md). An interpreter's name is never the answer.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "discover/process.h"
#include "elf/go_build_info.h"
#include "proc/procfs.h"

namespace waggle::discover {

// What a process runs, by its own account.
struct Program {
    std::string name;
    std::string from;             // for people: "script app.py", "executable"
    bool is_interpreted = false;  // one executable runs many programs
};

// Does the command line say nothing but that the parent started a worker (multiprocessing)?
bool runs_parents_program(const Process& process);

// go: of a Go executable. Reads package.json and directory names through /proc.
Program name_program(const Process& process, const proc::ProcFs& procfs, const elf::GoBuildInfo* go);

struct Relative {
    const Process* process = nullptr;
    const Program* program = nullptr;
};
using Ancestors = std::vector<Relative>;  // the parent first

// The same file, and of an interpreter's the same program too.
bool is_same_program(const Relative& a, const Relative& b);

// Workers are one service instance: it is the topmost process of the same program. Of a process
// without such ancestors it is the process itself.
Relative instance_of(const Relative& self, const Ancestors& ancestors);

struct ServiceName {
    std::string name;
    std::string service_namespace;
    std::string from;
};

// resource_attributes: the target's own, decoded.
ServiceName name_service(const Relative& self, const Ancestors& ancestors, const config::SelectorConfig& entry,
                         const std::vector<std::pair<std::string, std::string>>& resource_attributes);

}  // namespace waggle::discover
