// SPDX-License-Identifier: Apache-2.0
#include "protocols/http/target.h"

#include <array>
#include <cstring>

#include "base/strings.h"

namespace waggle::protocols::http {
namespace {

constexpr std::string_view kRedacted = "REDACTED";

// Parameters that carry secrets: those of the semantic conventions, and what is common.
constexpr std::array<std::string_view, 16> kSecretParameters = {
    "awsaccesskeyid", "signature",     "sig",      "x-goog-signature", "x-amz-signature", "x-amz-credential",
    "token",          "access_token",  "api_key",  "apikey",           "password",        "passwd",
    "secret",         "client_secret", "id_token", "refresh_token"};

// Is this what the server reads, which decodes %XX?
bool is_name(std::string_view sent, std::string_view name) {
    if (sent.find('%') == std::string_view::npos) return equals_ignoring_case(sent, name);
    std::size_t at = 0;
    for (const char c : name) {
        if (at == sent.size()) return false;
        char read = sent[at++];
        if (read == '%' && at + 2 <= sent.size()) {
            if (const auto byte = parse_int<std::uint8_t>(sent.substr(at, 2), 16)) {
                read = static_cast<char>(*byte);
                at += 2;
            }
        }
        if (to_lower(read) != to_lower(c)) return false;
    }
    return at == sent.size();
}

bool is_secret(std::string_view name, const std::vector<std::string>& more_names) {
    for (const std::string_view secret : kSecretParameters)
        if (is_name(name, secret)) return true;
    for (const std::string& secret : more_names)
        if (is_name(name, secret)) return true;
    return false;
}

}  // namespace

Authority parse_authority(std::string_view text) {
    if (const std::size_t user = text.rfind('@'); user != std::string_view::npos) text.remove_prefix(user + 1);
    if (text.empty() || text.size() > 255) return {};
    Authority result;
    std::string_view port;
    if (text.front() == '[') {
        const std::size_t close = text.find(']');
        if (close == std::string_view::npos) return {};
        result.host = text.substr(1, close - 1);
        if (close + 1 < text.size() && text[close + 1] == ':') port = text.substr(close + 2);
    } else {
        const std::size_t colon = text.find(':');
        result.host = text.substr(0, colon);
        if (colon != std::string_view::npos) port = text.substr(colon + 1);
    }
    for (const char c : result.host)
        if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f) return {};
    result.port = parse_int<std::uint16_t>(port).value_or(0);
    return result;
}

std::string_view known_method(std::string_view method) {
    switch (method.size()) {
        case 3:
            if (method == "GET") return "GET";
            if (method == "PUT") return "PUT";
            break;
        case 4:
            if (method == "POST") return "POST";
            if (method == "HEAD") return "HEAD";
            break;
        case 5:
            if (method == "PATCH") return "PATCH";
            if (method == "TRACE") return "TRACE";
            break;
        case 6:
            if (method == "DELETE") return "DELETE";
            break;
        case 7:
            if (method == "OPTIONS") return "OPTIONS";
            if (method == "CONNECT") return "CONNECT";
            break;
        default:
            break;
    }
    return "_OTHER";
}

Target parse_target(std::string_view text, std::string_view method) {
    Target result;
    if (method == "CONNECT") {
        result.host = text;
        return result;
    }
    if (const std::size_t scheme = text.find("://");
        scheme != std::string_view::npos && scheme <= 8 && text.front() != '/') {
        result.scheme = text.substr(0, scheme);
        text.remove_prefix(scheme + 3);
        const std::size_t end = text.find_first_of("/?#");
        result.host = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view("/") : text.substr(end);
    }
    text = text.substr(0, text.find('#'));
    const std::size_t question = text.find('?');
    result.path = text.substr(0, question);
    if (result.path.empty()) result.path = "/";
    if (question != std::string_view::npos) result.query = text.substr(question + 1);
    return result;
}

std::string_view redact_query(std::string_view query, const std::vector<std::string>& more_names, Arena& arena) {
    const auto value_of = [](std::string_view part) {
        const std::size_t equals = part.find('=');
        return equals == std::string_view::npos ? part.substr(part.size()) : part.substr(equals + 1);
    };
    std::size_t added = 0;
    for (std::string_view rest = query; !rest.empty();) {
        const std::size_t end = rest.find('&');
        const std::string_view part = rest.substr(0, end);
        if (is_secret(part.substr(0, part.find('=')), more_names)) added += kRedacted.size() + 1;
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    }
    if (!added) return query;
    char* const to = arena.allocate(query.size() + added);
    std::size_t size = 0;
    const auto put = [&](std::string_view text) {
        if (!text.empty()) std::memcpy(to + size, text.data(), text.size());
        size += text.size();
    };
    for (std::string_view rest = query; !rest.empty();) {
        const std::size_t end = rest.find('&');
        const std::string_view part = rest.substr(0, end);
        const std::string_view value = value_of(part);
        if (!value.empty() && is_secret(part.substr(0, part.find('=')), more_names)) {
            put(part.substr(0, part.size() - value.size()));
            put(kRedacted);
        } else {
            put(part);
        }
        if (end != std::string_view::npos) put("&");
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    }
    return {to, size};
}

}  // namespace waggle::protocols::http
