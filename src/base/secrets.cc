// SPDX-License-Identifier: Apache-2.0
#include "base/secrets.h"

#include <algorithm>
#include <array>

#include "base/strings.h"

namespace waggle {
namespace {

constexpr std::array<std::string_view, 11> kSecretNames = {"password",   "passwd",     "passphrase", "pwd",
                                                           "secret",     "token",      "apikey",     "accesskey",
                                                           "privatekey", "credential", "auth"};

// "--api-key", "API_KEY" and "apiKey" are one name.
bool names_secret(std::string_view name) {
    std::string plain;
    for (const char c : name)
        if (c != '-' && c != '_' && c != '.') plain += to_lower(c);
    return std::ranges::any_of(kSecretNames,
                               [&](std::string_view secret) { return plain.find(secret) != std::string::npos; });
}

// Programs whose short options are followed by a secret, with or without a space. Where several say the same, one may
// mean something else by it: a port is masked rather than a password shown.
struct ShortOption {
    std::string_view program;
    std::string_view option;
};
constexpr ShortOption kShortOptions[] = {{"mysql", "-p"},
                                         {"mariadb", "-p"},
                                         {"mongo", "-p"},
                                         {"redis-cli", "-a"},
                                         {"sshpass", "-p"},
                                         {"curl", "-u"},
                                         {"mosquitto_", "-P"},
                                         {"ldap", "-w"},
                                         {"cqlsh", "-p"},
                                         {"rabbitmqadmin", "-p"},
                                         {"sqlcmd", "-P"},
                                         {"smbclient", "-U"},
                                         {"clickhouse-client", "-p"}};

// The option's own letters, when its value is a secret: "-p" of "-pword", empty: it is none.
std::string_view secret_option(std::string_view program, std::string_view argument) {
    const std::string_view name = program.substr(program.rfind('/') + 1);
    for (const ShortOption& one : kShortOptions)
        if (name.starts_with(one.program) && argument.starts_with(one.option)) return one.option;
    return {};
}

std::string mask_argument(std::string_view argument) {
    const std::size_t equals = argument.find('=');
    if (equals != std::string_view::npos && names_secret(argument.substr(0, equals)))
        return std::string(argument.substr(0, equals + 1)).append(kMask);
    const std::size_t colon = argument.find(':');
    // A header: "Authorization: Bearer …".
    if (colon != std::string_view::npos && colon < std::min(argument.find('/'), argument.find('=')) &&
        names_secret(argument.substr(0, colon)))
        return std::string(argument.substr(0, colon + 1)).append(kMask);
    return argument.find("://") != std::string_view::npos ? mask_url(argument) : std::string(argument);
}

}  // namespace

std::string mask_url(std::string_view url) {
    const std::size_t scheme = url.find("://");
    const std::size_t from = scheme == std::string_view::npos ? 0 : scheme + 3;
    std::string masked(url.substr(0, from));
    const std::string_view rest = url.substr(from);
    const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
    const std::string_view path = rest.substr(authority.size());
    const std::size_t at = authority.rfind('@');
    if (path.find('@') != std::string_view::npos) {
        // The path, or the rest of a password that has such marks in it: what stands before may be the rest of one,
        // too.
        return masked.append(kMask).append("/").append(kMask);
    }
    if (at != std::string_view::npos) masked.append(kMask);
    masked += authority.substr(at == std::string_view::npos ? 0 : at);
    const std::size_t query = path.find_first_of("?#");
    masked += path.substr(0, query);
    if (query != std::string_view::npos && query + 1 < path.size()) masked.append(1, path[query]).append(kMask);
    return masked;
}

std::string mask_arguments(std::span<const std::string> arguments) {
    std::string text;
    bool is_secret = false;  // "--password" came before
    for (const std::string& argument : arguments) {
        if (!text.empty()) text += ' ';
        const bool is_option = argument.starts_with('-');
        const std::string_view option = secret_option(arguments.front(), argument);
        if (is_secret && !is_option)
            text += kMask;
        else if (!option.empty() && option != argument)
            text.append(option).append(kMask);
        else
            text += mask_argument(argument);
        is_secret =
            is_option && argument.find('=') == std::string::npos && (names_secret(argument) || option == argument);
    }
    return text;
}

}  // namespace waggle
