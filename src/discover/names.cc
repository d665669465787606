// SPDX-License-Identifier: Apache-2.0
#include "discover/names.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/strings.h"

namespace waggle::discover {
namespace {

constexpr auto kGenericNames =
    std::to_array<std::string_view>({"main",  "__main__", "__init__", "app",    "application", "server",     "service",
                                     "svc",   "manage",   "wsgi",     "asgi",   "index",       "run",        "start",
                                     "serve", "boot",     "program",  "launch", "bundle",      "entrypoint", "a.out"});

constexpr auto kGenericDirectories = std::to_array<std::string_view>(
    {"",        "bin",     "sbin",     "src",          "app",           "apps",          "code",     "tmp",
     "opt",     "usr",     "local",    "lib",          "lib64",         "libexec",       "dist",     "build",
     "out",     "home",    "root",     "workspace",    "workspaces",    "work",          "workdir",  "srv",
     "www",     "html",    "htdocs",   "public",       "current",       "release",       "releases", "target",
     "debug",   "var",     "data",     "server",       "service",       "services",      "scripts",  "cmd",
     "main",    "project", "projects", "node_modules", "site-packages", "dist-packages", "web",      "wwwroot",
     "publish", "mnt",     "run",      "etc",          "share",         "proc",          "venv",     "Release",
     "Debug",   "shm"});

constexpr auto kExtensions =
    std::to_array<std::string_view>({".py", ".pyc", ".pyz", ".rb", ".js", ".mjs", ".cjs", ".ts", ".pl", ".php", ".lua",
                                     ".sh", ".dll", ".exe", ".ru", ".psgi", ".java"});

constexpr auto kModuleParts = std::to_array<std::string_view>(
    {"main", "__main__", "app", "wsgi", "asgi", "server", "application", "run", "celery", "api"});

bool is_number(std::string_view text) {
    return !text.empty() &&
           std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_'; });
}

bool is_generic_directory(std::string_view name) {
    return std::ranges::find(kGenericDirectories, name) != kGenericDirectories.end();
}

bool is_telling(std::string_view name, std::string_view parent) {
    if (name.starts_with('.') || name.starts_with("tmp") || is_number(name)) return false;
    if (parent == "/home" || parent == "/Users") return false;  // a person's name
    // lib/python3.11, versions/20.1.0
    if (name.starts_with("python") && name.find_first_of("0123456789") != std::string_view::npos) return false;
    return !is_generic_directory(name);
}

// Reads a JSON string after its opening quote; at stands after the closing one then.
std::string json_string(std::string_view json, size_t& at) {
    std::string text;
    for (; at < json.size() && json[at] != '"'; ++at) {
        if (json[at] == '\\') ++at;
        if (at < json.size()) text += json[at];
    }
    ++at;
    return text;
}

void skip_blanks(std::string_view json, size_t& at) {
    at = std::min(json.find_first_not_of(" \t\r\n", at), json.size());
}

}  // namespace

bool is_generic_name(std::string_view name) {
    return name.empty() || std::ranges::any_of(kGenericNames, [&](std::string_view generic) {
               return equals_ignoring_case(name, generic);
           });
}

std::string_view directory_of(std::string_view path) {
    const size_t slash = path.rfind('/');
    if (slash == std::string_view::npos) return {};
    return slash == 0 ? path.substr(0, 1) : path.substr(0, slash);
}

std::string telling_directory(std::string_view path) {
    constexpr int kMaxLevels = 5;
    for (int level = 0; level < kMaxLevels && path.size() > 1; ++level) {
        const std::string_view parent = directory_of(path);
        const std::string_view name = path.substr(path.rfind('/') + 1);
        if (parent == "/home" || parent == "/usr" || parent.empty()) return {};
        if (is_telling(name, parent)) return std::string(name);
        path = parent;
    }
    return {};
}

std::string absolute_path(std::string_view path, std::string_view cwd) {
    std::vector<std::string_view> parts;
    const auto add = [&](std::string_view text) {
        for (const std::string_view part : split(text, '/')) {
            if (part.empty() || part == ".") continue;
            if (part != "..")
                parts.push_back(part);
            else if (!parts.empty())
                parts.pop_back();
        }
    };
    if (!path.starts_with('/')) add(cwd);
    add(path);
    std::string absolute;
    for (const std::string_view part : parts) absolute.append("/").append(part);
    return absolute.empty() ? "/" : absolute;
}

std::string_view without_extension(std::string_view file) {
    for (const std::string_view extension : kExtensions)
        if (file.size() > extension.size() && file.ends_with(extension))
            return file.substr(0, file.size() - extension.size());
    return file;
}

std::string jar_name(std::string_view file) {
    for (const std::string_view extension : {".jar", ".war"})
        if (file.ends_with(extension)) file.remove_suffix(extension.size());
    // The version begins at the first "-" or "_" with a digit behind it.
    for (size_t at = 1; at + 1 < file.size(); ++at) {
        const bool is_separator = file[at] == '-' || file[at] == '_';
        const char next = file[at + 1] == 'v' && at + 2 < file.size() ? file[at + 2] : file[at + 1];
        if (is_separator && next >= '0' && next <= '9') {
            file = file.substr(0, at);
            break;
        }
    }
    for (bool is_shorter = true; is_shorter;) {
        is_shorter = false;
        for (const std::string_view suffix : {"-SNAPSHOT", "-all", "-exec", "-boot", "-fat", "-shaded", "-runner",
                                              "-jar-with-dependencies", "-standalone"})
            if (file.size() > suffix.size() && file.ends_with(suffix)) {
                file.remove_suffix(suffix.size());
                is_shorter = true;
            }
    }
    return std::string(file);
}

std::string module_name(std::string_view reference) {
    std::string_view module = reference.substr(0, reference.find(':'));
    for (size_t dot; (dot = module.rfind('.')) != std::string_view::npos;) {
        if (std::ranges::find(kModuleParts, module.substr(dot + 1)) == kModuleParts.end()) break;
        module = module.substr(0, dot);
    }
    return std::string(module);
}

std::string go_package_name(std::string_view path) {
    if (path == "command-line-arguments") return {};
    std::vector<std::string_view> segments = split(path, '/');
    for (; !segments.empty(); segments.pop_back()) {
        const std::string_view last = segments.back();
        const bool is_version = last.size() > 1 && last[0] == 'v' && is_number(last.substr(1));
        // The first segment is a host when there are more.
        const bool is_host = segments.size() == 1 && last.find('.') != std::string_view::npos;
        if (is_host) return {};
        if (!is_version && !is_generic_name(last) && !is_generic_directory(last)) return std::string(last);
    }
    return {};
}

std::string json_name(std::string_view json) {
    int depth = 0;
    for (size_t at = 0; at < json.size();) {
        const char c = json[at++];
        if (c == '{' || c == '[') ++depth;
        if (c == '}' || c == ']') --depth;
        if (c != '"') continue;
        const std::string key = json_string(json, at);
        skip_blanks(json, at);
        if (depth != 1 || key != "name" || at >= json.size() || json[at] != ':') continue;
        skip_blanks(json, ++at);
        if (at >= json.size() || json[at] != '"') return {};
        std::string name = json_string(json, ++at);
        return name.size() <= 214 ? name : std::string();  // npm's limit
    }
    return {};
}

}  // namespace waggle::discover
