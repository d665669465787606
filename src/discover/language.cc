// SPDX-License-Identifier: Apache-2.0
#include "discover/language.h"

#include <algorithm>
#include <array>

namespace waggle::discover {
namespace {

struct Named {
    std::string_view text;
    std::string_view language;
};

// Executables by their name without a version at its end.
constexpr std::array kInterpreters{
    Named{"python", "python"},    Named{"pypy", "python"}, Named{"node", "nodejs"},     Named{"nodejs", "nodejs"},
    Named{"ruby", "ruby"},        Named{"jruby", "java"},  Named{"java", "java"},       Named{"php", "php"},
    Named{"php-fpm", "php"},      Named{"php-cgi", "php"}, Named{"frankenphp", "php"},  Named{"perl", "perl"},
    Named{"lua", "lua"},          Named{"luajit", "lua"},  Named{"beam.smp", "erlang"}, Named{"beam", "erlang"},
    Named{"deno", "deno"},        Named{"bun", "bun"},     Named{"dotnet", "dotnet"},   Named{"mono", "dotnet"},
    Named{"mono-sgen", "dotnet"}, Named{"sh", "shell"},    Named{"bash", "shell"},      Named{"dash", "shell"},
    Named{"ash", "shell"},        Named{"zsh", "shell"},   Named{"ksh", "shell"},
};

// Beginnings of the names of libraries that only a runtime's programs map.
constexpr std::array kLibraries{
    Named{"libcoreclr.so", "dotnet"}, Named{"libmonosgen", "dotnet"}, Named{"libjvm.so", "java"},
    Named{"libpython", "python"},     Named{"libruby", "ruby"},       Named{"libnode.so", "nodejs"},
    Named{"libphp", "php"},
};

// Servers that can load an interpreter as one of many extensions.
constexpr std::array<std::string_view, 4> kNotTheirLanguage{"postgres", "gdb", "vim", "mysqld"};

std::string_view without_version(std::string_view name) {
    const size_t last = name.find_last_not_of("0123456789.-");
    return last == std::string_view::npos ? name : name.substr(0, last + 1);
}

std::string language_of_image(const elf::Image& image) {
    constexpr std::uint64_t kReadOnlyData = 4u << 20;
    if (image.has_section(".go.buildinfo") || image.has_section(".gopclntab") || image.has_section(".gosymtab"))
        return "go";
    if (image.has_section(".svm_heap") || image.has_symbol_prefix("graal_") || image.has_symbol_prefix("JVM_"))
        return "java";
    if (image.has_symbol_prefix("DotNetRuntimeInfo") || image.has_symbol_prefix("DotNetRuntimeDebugHeader"))
        return "dotnet";
    // A stripped Rust program still has the paths of its standard library's sources.
    if (image.has_symbol_containing("rust_panic") || image.section_contains(".rodata", "/rustc/", kReadOnlyData))
        return "rust";
    const std::vector<std::string> libraries = image.needed();
    const auto needs = [&](std::string_view beginning) {
        return std::ranges::any_of(libraries, [&](const std::string& name) { return name.starts_with(beginning); });
    };
    return needs("libstdc++.so") || needs("libc++.so") ? "cpp" : "";
}

Executable read_executable(const std::string& path) {
    Executable executable;
    const auto image = elf::Image::open(path);
    if (!image) return executable;
    executable.language = language_of_image(*image);
    if (executable.language == "go") executable.go = elf::read_go_build_info(*image);
    return executable;
}

std::string language_of_maps(const Process& process, const proc::ProcFs& procfs) {
    std::string language;
    procfs.each_mapped_file(process.pid, [&](std::string_view path) {
        const std::string_view name = base_name(path);
        for (const Named& library : kLibraries)
            if (name.starts_with(library.text)) language = library.language;
        return language.empty();
    });
    return language;
}

}  // namespace

const Executable& Executables::of(const Process& process) {
    const ProgramKey key = process.program;
    if (const auto known = known_.find(key); known != known_.end()) return known->second;
    Executable executable = read_executable(procfs_.path(process.pid, "exe"));
    if (key == ProgramKey{}) return scratch_ = std::move(executable);
    if (order_.size() >= kMax) {
        known_.erase(order_.front());
        order_.pop_front();
    }
    order_.push_back(key);
    return known_[key] = std::move(executable);
}

std::string_view interpreter_of(std::string_view exe) {
    const std::string_view name = base_name(exe);
    for (const std::string_view candidate : {name, without_version(name)})
        if (const auto found = std::ranges::find(kInterpreters, candidate, &Named::text); found != kInterpreters.end())
            return found->language;
    return {};
}

Language detect_language(const Process& process, const proc::ProcFs& procfs, const Executable& executable) {
    if (executable.language == "go" || executable.language == "rust") return {executable.language};
    if (const std::string_view named = interpreter_of(process.exe); !named.empty() && named != "shell")
        return {std::string(named)};
    const std::string_view name = base_name(process.exe);
    if (std::ranges::find(kNotTheirLanguage, name) == kNotTheirLanguage.end())
        if (std::string mapped = language_of_maps(process, procfs); !mapped.empty()) return {std::move(mapped)};
    if (process.exe.find("php") != std::string::npos) return {"php"};
    if (process.has_dotnet_environment) return {"dotnet", false};
    if (!executable.language.empty()) return {executable.language, executable.language != "cpp"};
    return {"generic", false};
}

}  // namespace waggle::discover
