// SPDX-License-Identifier: Apache-2.0
#include "discover/program_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "discover/language.h"
#include "discover/names.h"

namespace waggle::discover {
namespace {

Program interpreted(std::string name, std::string from) {
    return {.name = std::move(name), .from = std::move(from), .is_interpreted = true};
}

template <size_t N>
bool is_one_of(std::string_view text, const std::array<std::string_view, N>& all) {
    return std::ranges::find(all, text) != all.end();
}

// -c, -e, -lc, -we: what follows is the program's text. -MFoo and -Ilib are none of them.
bool is_text_option(std::string_view argument) {
    constexpr size_t kMaxLetters = 4;
    if (argument.size() < 2 || argument.size() > 1 + kMaxLetters || argument[0] != '-') return false;
    const char last = argument.back();
    const bool is_letters =
        std::ranges::all_of(argument.substr(1), [](char c) { return (c >= 'a' && c <= 'z') || c == 'E'; });
    return is_letters && (last == 'c' || last == 'e' || last == 'E');
}

// The first argument from index on that is no option; options in with_value take the next argument.
template <size_t N>
size_t first_operand(const Process& process, size_t index, const std::array<std::string_view, N>& with_value) {
    const std::vector<std::string>& argv = process.argv;
    for (; index < argv.size(); ++index) {
        if (is_one_of(argv[index], with_value))
            ++index;
        else if (!argv[index].starts_with('-'))
            break;
    }
    return std::min(index, argv.size());
}

std::string read_package_name(const Process& process, const proc::ProcFs& procfs, std::string directory) {
    constexpr int kMaxLevels = 8;
    constexpr size_t kMaxSize = 256 * 1024;
    for (int level = 0; level < kMaxLevels && !directory.empty(); ++level) {
        const std::string file = (directory == "/" ? "" : directory) + "/package.json";
        if (const auto json = procfs.read_in_root(process.pid, file, kMaxSize)) {
            std::string name = json_name(*json);
            // @acme/shop: the part that tells programs apart.
            if (name.starts_with('@')) name.erase(0, name.find('/') + 1);
            if (!is_generic_name(name)) return name;
        }
        if (directory == "/") break;
        directory = directory_of(directory);
    }
    return {};
}

}  // namespace

std::string_view option_value(const Process& process, std::initializer_list<std::string_view> options) {
    const std::vector<std::string>& argv = process.argv;
    for (size_t i = 1; i < argv.size(); ++i)
        for (const std::string_view option : options) {
            const std::string_view argument = argv[i];
            if (argument == option && i + 1 < argv.size()) return argv[i + 1];
            if (argument.size() > option.size() && argument.starts_with(option) && argument[option.size()] == '=')
                return argument.substr(option.size() + 1);
        }
    return {};
}

std::string_view bracketed_title(const Process& process) {
    if (process.argv.size() != 1 || !process.argv[0].ends_with(']')) return {};
    const std::string_view title = process.argv[0];
    const size_t open = title.rfind('[');
    if (open == std::string_view::npos) return {};
    const std::string_view tag = title.substr(open + 1, title.size() - open - 2);
    // "[0 of 5 busy]", "[celeryd: worker]" tell what it does, not what it is.
    return tag.find(' ') == std::string_view::npos ? tag : std::string_view();
}

ProgramName name_directory(const Process& process, std::string_view from) {
    std::string name = telling_directory(process.cwd);
    if (name.empty()) return std::nullopt;
    return interpreted(std::move(name), fmt::format("{} in {}", from, process.cwd));
}

Program name_script(std::string_view script, const Process& process) {
    const std::string_view file = base_name(script);
    const std::string_view stem = without_extension(file);
    if (!is_generic_name(stem)) return interpreted(std::string(stem), fmt::format("script {}", file));
    const std::string path = absolute_path(script, process.cwd);
    for (const std::string_view directory : {directory_of(path), std::string_view(process.cwd)})
        if (std::string name = telling_directory(directory); !name.empty())
            return interpreted(std::move(name), fmt::format("directory of script {}", path));
    return interpreted(std::string(stem), fmt::format("script {}", file));
}

ProgramName script_program(const Process& process) {
    const size_t script = first_operand(process, 1, std::array<std::string_view, 3>{"-I", "-o", "-O"});
    const bool is_text = std::any_of(process.argv.begin(), process.argv.begin() + static_cast<std::ptrdiff_t>(script),
                                     [](const std::string& argument) { return is_text_option(argument); });
    if (is_text || script >= process.argv.size()) return name_directory(process, "command");
    return name_script(process.argv[script], process);
}

// java [options] -jar file | java [options] class | java [options] -m module/class
ProgramName java_program(const Process& process) {
    constexpr std::array<std::string_view, 13> kWithValue{
        "-cp",           "-classpath",     "--class-path",          "-p",
        "--module-path", "--add-modules",  "--add-exports",         "--add-opens",
        "--add-reads",   "--patch-module", "--upgrade-module-path", "--limit-modules",
        "--source"};
    constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kKnown{{
        {"org.apache.catalina.startup.Bootstrap", "tomcat"},
        {"kafka.Kafka", "kafka"},
        {"org.apache.zookeeper.server.quorum.QuorumPeerMain", "zookeeper"},
        {"org.elasticsearch.bootstrap.Elasticsearch", "elasticsearch"},
        {"org.elasticsearch.server.cli.ServerCli", "elasticsearch"},
        {"org.apache.cassandra.service.CassandraDaemon", "cassandra"},
        {"org.jboss.modules.Main", "jboss"},
        {"org.apache.solr.cli.SolrCLI", "solr"},
    }};
    for (const std::string_view property : {"-Dotel.service.name=", "-Dspring.application.name="})
        for (const std::string& argument : process.argv)
            if (argument.starts_with(property) && argument.size() > property.size())
                return interpreted(argument.substr(property.size()),
                                   fmt::format("property {}", property.substr(2, property.size() - 3)));
    const std::vector<std::string>& argv = process.argv;
    size_t at = 1;
    // @file holds more options.
    for (; at < argv.size() && (argv[at].starts_with('-') || argv[at].starts_with('@')); ++at) {
        if (argv[at] == "-jar" && at + 1 < argv.size()) {
            const std::string_view file = base_name(argv[at + 1]);
            const std::string name = jar_name(file);
            if (!is_generic_name(name)) return interpreted(name, fmt::format("archive {}", file));
            const std::string path = absolute_path(argv[at + 1], process.cwd);
            std::string directory = telling_directory(directory_of(path));
            return interpreted(directory.empty() ? name : std::move(directory), fmt::format("archive {}", path));
        }
        if (argv[at] == "-m" || argv[at] == "--module") continue;  // the class is next
        if (is_one_of(argv[at], kWithValue)) ++at;
    }
    if (at >= argv.size()) return std::nullopt;
    const std::string_view main_class = base_name(argv[at]);  // of module/class
    for (const auto& [known, name] : kKnown)
        if (main_class == known) return interpreted(std::string(name), fmt::format("class {}", known));
    if (main_class.starts_with("org.springframework.boot.loader."))
        return name_directory(process, "class " + std::string(main_class));
    if (main_class.ends_with(".java")) return name_script(argv[at], process);
    std::string_view rest = main_class;
    // Kotlin's name for a file's functions.
    if (rest.ends_with("Kt") && is_generic_name(rest.substr(rest.rfind('.') + 1, rest.size() - rest.rfind('.') - 3)))
        rest.remove_suffix(2);
    for (;;) {
        const size_t dot = rest.rfind('.');
        const std::string_view last = rest.substr(dot + 1);
        if (!is_generic_name(last) || dot == std::string_view::npos)
            return interpreted(std::string(is_generic_name(last) ? main_class : last),
                               fmt::format("class {}", main_class));
        rest = rest.substr(0, dot);
    }
}

// node [options] script; deno and bun: [run] [options] script
ProgramName node_program(const Process& process, const proc::ProcFs& procfs) {
    constexpr std::array<std::string_view, 10> kWithValue{
        "-r", "--require",  "--import",     "--loader",  "--experimental-loader",
        "-C", "--env-file", "--conditions", "--preload", "--config"};
    constexpr std::array<std::string_view, 3> kCommands{"run", "serve", "start"};
    constexpr std::array<std::string_view, 5> kText{"-e", "--eval", "-p", "--print", "-pe"};
    size_t at = first_operand(process, 1, kWithValue);
    for (size_t i = 1; i < at; ++i)
        if (is_one_of(process.argv[i], kText)) at = process.argv.size();
    const bool is_node = interpreter_of(process.exe) == "nodejs";
    if (!is_node && at < process.argv.size() && is_one_of(process.argv[at], kCommands))
        at = first_operand(process, at + 1, kWithValue);
    // Without a script: a process title ("npm start"), or code from the command line.
    if (at >= process.argv.size()) {
        if (std::string name = read_package_name(process, procfs, process.cwd); !name.empty())
            return interpreted(std::move(name), "package.json above " + process.cwd);
        return name_directory(process, "command");
    }
    const std::string script = absolute_path(process.argv[at], process.cwd);
    // A tool that is installed with the program says nothing about it.
    const bool is_local_tool =
        script.find("/node_modules/") != std::string::npos && script.starts_with(process.cwd + "/");
    std::string from(is_local_tool ? std::string_view(process.cwd) : directory_of(script));
    if (std::string name = read_package_name(process, procfs, from); !name.empty())
        return interpreted(std::move(name), "package.json above " + from);
    if (is_local_tool)
        if (ProgramName name = name_directory(process, "tool")) return name;
    return name_script(script, process);
}

ProgramName ruby_program(const Process& process) {
    constexpr std::array<std::string_view, 12> kServers{"puma",   "rails",     "unicorn",       "webrick",
                                                        "rackup", "thin",      "falcon",        "sidekiq",
                                                        "bundle", "passenger", "unicorn_rails", "spring"};
    constexpr std::array<std::string_view, 5> kWithValue{"-r", "-I", "-C", "-e", "-E"};
    if (const std::string_view tag = bracketed_title(process); !tag.empty())
        return interpreted(std::string(tag), "process title");
    const std::string_view title = process.argv.empty() ? std::string_view() : process.argv[0];
    const std::string_view first_word = title.substr(0, title.find_first_of(" :"));
    const size_t script = first_operand(process, 1, kWithValue);
    const bool has_script = script < process.argv.size();
    const bool is_server = is_one_of(base_name(first_word), kServers) ||
                           (has_script && is_one_of(base_name(process.argv[script]), kServers));
    if (is_server || !has_script) {
        if (ProgramName name = name_directory(process, "server")) return name;
        return interpreted(std::string(has_script ? base_name(process.argv[script]) : first_word), "command");
    }
    return name_script(process.argv[script], process);
}

ProgramName php_program(const Process& process) {
    constexpr std::array<std::string_view, 8> kWithValue{"-S", "-t", "-d", "-c", "-f", "-z", "-r", "-B"};
    constexpr std::string_view kPool = "php-fpm: pool ";
    if (base_name(process.exe).starts_with("php-fpm")) {
        Program program{.name = "php-fpm", .from = "executable"};
        if (process.argv.size() == 1 && process.argv[0].starts_with(kPool)) {
            const std::string_view pool = std::string_view(process.argv[0]).substr(kPool.size());
            // "www" is the pool of every fresh installation.
            if (!is_generic_name(pool) && pool != "www") program = {std::string(pool), "pool"};
        }
        return program;
    }
    if (const std::string_view root = option_value(process, {"-t"}); !root.empty()) {
        std::string name = telling_directory(absolute_path(root, process.cwd));
        if (!name.empty()) return interpreted(std::move(name), fmt::format("document root {}", root));
    }
    const bool is_server = !option_value(process, {"-S"}).empty();
    const size_t script = first_operand(process, 1, kWithValue);
    const bool has_script = script < process.argv.size();
    if (is_server || !has_script || base_name(process.argv[script]) == "artisan") {
        if (ProgramName name = name_directory(process, "server")) return name;
        if (!has_script) return std::nullopt;
    }
    return name_script(process.argv[script], process);
}

ProgramName erlang_program(const Process& process) {
    if (const std::string_view node = option_value(process, {"-sname", "-name"}); !node.empty())
        return interpreted(std::string(node.substr(0, node.find('@'))), "node name");
    // Elixir's own start module is every Elixir program's.
    if (const std::string_view module = option_value(process, {"-s", "-run"}); !module.empty() && module != "elixir")
        return interpreted(std::string(module), "module");
    return name_directory(process, "command");
}

// dotnet [exec] file.dll | dotnet run
ProgramName dotnet_program(const Process& process) {
    for (size_t i = 1; i < process.argv.size(); ++i) {
        const std::string_view file = base_name(process.argv[i]);
        if (!file.ends_with(".dll") && !file.ends_with(".exe")) continue;
        return name_script(process.argv[i], process);
    }
    return name_directory(process, "command");
}

}  // namespace waggle::discover
