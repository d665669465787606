// SPDX-License-Identifier: Apache-2.0
// Language of a program (telemetry.sdk.language), from its name, its ELF file and what it has
// mapped. What the file says is kept per file, so that the second process of a program costs
// nothing.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "discover/process.h"
#include "elf/go_build_info.h"
#include "proc/procfs.h"

namespace waggle::discover {

// What an executable file alone tells.
struct Executable {
    std::string language;  // empty: it does not tell
    std::optional<elf::GoBuildInfo> go;
};

class Executables {
  public:
    explicit Executables(const proc::ProcFs& procfs) : procfs_(procfs) {}

    // The returned value is valid until the next call.
    const Executable& of(const Process& process);

  private:
    static constexpr size_t kMax = 1024;

    const proc::ProcFs& procfs_;
    std::map<ProgramKey, Executable> known_;
    std::deque<ProgramKey> order_;
    Executable scratch_;  // for a process whose file is not known
};

struct Language {
    std::string name;
    // A runtime may still be loading its library: ask again later.
    bool is_final = true;
};

Language detect_language(const Process& process, const proc::ProcFs& procfs, const Executable& executable);

// The runtime whose programs an executable of this name runs: python, nodejs, ruby, java, php,
// perl, lua, erlang, dotnet, deno, bun, shell; empty for all other names.
std::string_view interpreter_of(std::string_view exe);

}  // namespace waggle::discover
