// SPDX-License-Identifier: Apache-2.0
// What an interpreter's command line says it runs. One function per runtime; each gives nothing
// when the arguments do not tell, and the caller falls back to the working directory.
#pragma once

#include <optional>

#include "discover/process.h"
#include "discover/service_name.h"
#include "proc/procfs.h"

namespace waggle::discover {

using ProgramName = std::optional<Program>;

ProgramName python_program(const Process& process);
ProgramName node_program(const Process& process, const proc::ProcFs& procfs);  // and deno, bun
ProgramName java_program(const Process& process);
ProgramName ruby_program(const Process& process);
ProgramName php_program(const Process& process);
ProgramName erlang_program(const Process& process);
ProgramName dotnet_program(const Process& process);
// perl, lua, shells: the script.
ProgramName script_program(const Process& process);

// A script's name, or its directory's where the script's says nothing.
Program name_script(std::string_view script, const Process& process);
// The telling directory from the working directory upward.
ProgramName name_directory(const Process& process, std::string_view from);
// What stands in the last [brackets] of a process title.
std::string_view bracketed_title(const Process& process);
// The value of the first of the options: "-A x", "--app x", "--app=x". Empty: not given.
std::string_view option_value(const Process& process, std::initializer_list<std::string_view> options);

}  // namespace waggle::discover
