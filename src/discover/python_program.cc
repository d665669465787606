// SPDX-License-Identifier: Apache-2.0
// Python: scripts, modules, and the servers that are told which application to run.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "discover/names.h"
#include "discover/program_name.h"

namespace waggle::discover {
namespace {

constexpr std::array<std::string_view, 12> kServers{"gunicorn", "uvicorn", "hypercorn",      "daphne",
                                                    "granian",  "celery",  "flask",          "waitress",
                                                    "fastapi",  "uwsgi",   "waitress-serve", "rq"};

Program interpreted(std::string name, std::string from) {
    return {.name = std::move(name), .from = std::move(from), .is_interpreted = true};
}

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "shop.main", "shop.main:app", "shop.main:create_app()"; not "localhost:8000".
bool is_application(std::string_view text) {
    const size_t colon = text.find(':');
    const std::string_view module = text.substr(0, colon);
    const auto is_module_char = [](char c) { return is_word(c) || c == '.'; };
    if (module.empty() || is_digit(module[0]) || !std::ranges::all_of(module, is_module_char)) return false;
    if (colon == std::string_view::npos) return true;
    const std::string_view object = text.substr(colon + 1);
    return !object.empty() && is_word(object[0]) && !is_digit(object[0]);
}

Program name_application(std::string_view application, std::string_view server, const Process& process) {
    const std::string from = fmt::format("{}'s application {}", server, application);
    std::string name = module_name(application);
    if (is_generic_name(name)) {
        std::string directory = telling_directory(process.cwd);
        if (!directory.empty()) name = std::move(directory);
    }
    return interpreted(std::move(name), from);
}

// The arguments from index on are the server's.
ProgramName server_program(std::string_view server, size_t index, const Process& process) {
    const std::vector<std::string>& argv = process.argv;
    if (server == "gunicorn")
        if (const std::string_view name = option_value(process, {"--name", "-n"}); !name.empty())
            return interpreted(std::string(name), "gunicorn's --name");
    if (const std::string_view application = option_value(process, {"-A", "--app"}); is_application(application))
        return name_application(application, server, process);
    if (server == "flask" || server == "celery" || server == "rq") return name_directory(process, server);
    for (size_t i = index; i < argv.size(); ++i)
        if (argv[i].find(':') != std::string::npos && is_application(argv[i]))
            return name_application(argv[i], server, process);
    // gunicorn shop.wsgi: the object's name may be left out.
    for (size_t i = argv.size(); i-- > index;) {
        const bool is_value = i > index && argv[i - 1].starts_with('-') && argv[i - 1].find('=') == std::string::npos;
        if (!is_value && is_application(argv[i])) return name_application(argv[i], server, process);
    }
    return name_directory(process, server);
}

ProgramName titled_program(const Process& process) {
    const std::string_view tag = bracketed_title(process);
    if (tag.empty()) return std::nullopt;
    if (is_application(tag)) return name_application(tag, "gunicorn", process);
    return interpreted(std::string(tag), "process title");
}

}  // namespace

ProgramName python_program(const Process& process) {
    const std::vector<std::string>& argv = process.argv;
    if (ProgramName titled = titled_program(process)) return titled;
    size_t at = 1;
    for (; at < argv.size() && argv[at].starts_with('-'); ++at) {
        if (argv[at] == "-c") return name_directory(process, "command");
        if (argv[at] == "-W" || argv[at] == "-X") ++at;
        if (!argv[at < argv.size() ? at : 0].starts_with("-m")) continue;
        const bool is_joined = argv[at].size() > 2;
        if (!is_joined && ++at >= argv.size()) return std::nullopt;
        std::string_view module = argv[at];
        if (is_joined) module.remove_prefix(2);
        if (std::ranges::find(kServers, module) != kServers.end()) return server_program(module, at + 1, process);
        if (module.ends_with(".__main__")) module.remove_suffix(9);
        if (is_generic_name(module))
            if (ProgramName directory = name_directory(process, module)) return directory;
        return interpreted(std::string(module), fmt::format("module {}", module));
    }
    if (at >= argv.size()) return name_directory(process, "command");
    const std::string_view script = base_name(argv[at]);
    if (std::ranges::find(kServers, script) != kServers.end()) return server_program(script, at + 1, process);
    return name_script(argv[at], process);
}

}  // namespace waggle::discover
