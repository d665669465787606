// SPDX-License-Identifier: Apache-2.0
#include "config/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/strings.h"

namespace waggle::config {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

struct Unit {
    std::string_view name;
    std::int64_t nanoseconds;
};
constexpr std::array<Unit, 8> kUnits{{{"ns", 1},
                                      {"us", 1'000},
                                      {"µs", 1'000},
                                      {"μs", 1'000},
                                      {"ms", 1'000'000},
                                      {"s", 1'000'000'000},
                                      {"m", 60'000'000'000},
                                      {"h", 3'600'000'000'000}}};

// Takes one "1.5h" off the text, as nanoseconds; nothing when it is malformed or too large.
std::optional<double> take_duration_part(std::string_view& text) {
    size_t digits = 0;
    while (digits < text.size() && (is_digit(text[digits]) || text[digits] == '.')) ++digits;
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + digits, number, std::chars_format::fixed);
    if (error != std::errc{} || end != text.data() + digits) return std::nullopt;
    text.remove_prefix(digits);
    size_t letters = 0;
    while (letters < text.size() && !is_digit(text[letters]) && text[letters] != '.') ++letters;
    const auto unit = std::ranges::find(kUnits, text.substr(0, letters), &Unit::name);
    if (unit == kUnits.end()) return std::nullopt;
    text.remove_prefix(letters);
    return number * static_cast<double>(unit->nanoseconds);
}

std::unexpected<Error> bad_duration(std::string_view text) {
    return fail(fmt::format("{} is not a duration; use for example 500ms, 5s or 1m30s", quote(text)));
}

std::unexpected<Error> bad_ports(std::string_view text) {
    return fail(fmt::format("{} is not a list of ports; use for example 80,443,8000-8999", quote(text)));
}

int hex_value(char c) {
    if (is_digit(c)) return c - '0';
    c = to_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

std::string percent_decode(std::string_view text) {
    std::string decoded;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0) {
            decoded += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
            i += 2;
        } else {
            decoded += text[i];
        }
    }
    return decoded;
}

void strip_one_suffix(std::string& name, std::initializer_list<std::string_view> suffixes) {
    for (const std::string_view suffix : suffixes) {
        if (!name.ends_with(suffix)) continue;
        name.resize(name.size() - suffix.size());
        return;
    }
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
    const std::string_view all = text;
    if (text.starts_with('-')) return fail(fmt::format("{} is negative", quote(all)));
    if (text.starts_with('+')) text.remove_prefix(1);
    if (text.empty()) return bad_duration(all);
    if (text == "0") return Duration{0};
    double nanoseconds = 0;
    while (!text.empty()) {
        const std::optional<double> part = take_duration_part(text);
        if (!part) return bad_duration(all);
        nanoseconds += *part;
    }
    constexpr double kLongest = 9.2e18;  // just under what 64 bits of nanoseconds hold: 292 years
    if (nanoseconds > kLongest) return fail(fmt::format("{} is too long", quote(all)));
    return Duration{static_cast<std::int64_t>(std::llround(nanoseconds))};
}

std::string format_duration(Duration duration) {
    std::int64_t left = duration.count();
    if (left == 0) return "0s";
    std::string text;
    for (const std::string_view name : {"h", "m", "s", "ms", "us", "ns"}) {
        const std::int64_t size = std::ranges::find(kUnits, name, &Unit::name)->nanoseconds;
        if (left / size == 0) continue;
        text += fmt::format("{}{}", left / size, name);
        left %= size;
    }
    return text;
}

std::optional<bool> parse_bool(std::string_view text) {
    for (const std::string_view yes : {"1", "t", "T", "TRUE", "true", "True"})
        if (text == yes) return true;
    for (const std::string_view no : {"0", "f", "F", "FALSE", "false", "False"})
        if (text == no) return false;
    return std::nullopt;
}

Result<PortSet> parse_ports(std::string_view text) {
    PortSet ports;
    for (const std::string_view item : split(text, ',')) {
        const size_t dash = item.find('-');
        const auto from = parse_int<std::uint16_t>(trim(item.substr(0, dash)));
        const auto to = dash == std::string_view::npos ? from : parse_int<std::uint16_t>(trim(item.substr(dash + 1)));
        if (!from || !to || *from > *to) return bad_ports(text);
        ports.ranges.emplace_back(*from, *to);
    }
    return ports;
}

std::string format_ports(const PortSet& ports) {
    std::string text;
    for (const auto& [from, to] : ports.ranges) {
        if (!text.empty()) text += ',';
        text += from == to ? fmt::format("{}", from) : fmt::format("{}-{}", from, to);
    }
    return text;
}

Result<std::uint64_t> parse_bytes(std::string_view text) {
    const auto bad = [&] {
        return fail(fmt::format("{} is not a size; use for example 268435456 or 256MiB", quote(text)));
    };
    size_t digits = 0;
    while (digits < text.size() && is_digit(text[digits])) ++digits;
    const auto number = parse_int<std::uint64_t>(text.substr(0, digits));
    if (!number) return bad();
    std::string_view unit = trim(text.substr(digits));
    if (unit.ends_with('B')) unit.remove_suffix(1);
    const bool is_binary = unit.ends_with('i');
    if (is_binary) unit.remove_suffix(1);
    constexpr std::string_view kPrefixes = "KMGT";
    const size_t power = unit.empty() ? 0 : kPrefixes.find(unit == "k" ? 'K' : unit[0]) + 1;
    if (unit.size() > 1 || power > kPrefixes.size() || (!unit.empty() && power == 0) || (unit.empty() && is_binary))
        return bad();
    std::uint64_t bytes = *number;
    for (size_t i = 0; i < power; ++i)
        if (__builtin_mul_overflow(bytes, is_binary ? 1024u : 1000u, &bytes)) return bad();
    return bytes;
}

std::string format_bytes(std::uint64_t bytes) {
    for (const auto& [shift, unit] : {std::pair{30, "GiB"}, {20, "MiB"}, {10, "KiB"}}) {
        const std::uint64_t size = std::uint64_t{1} << shift;
        if (bytes >= size && bytes % size == 0) return fmt::format("{}{}", bytes / size, unit);
    }
    return fmt::format("{}", bytes);
}

KeyValues parse_key_values(std::string_view text) {
    KeyValues result;
    for (const std::string_view item : split(text, ',')) {
        if (trim(item).empty()) continue;
        const size_t equals = item.find('=');
        const std::string_view name = trim(item.substr(0, equals));
        if (equals == std::string_view::npos || name.empty()) {
            ++result.malformed;
            continue;
        }
        result.pairs.emplace_back(percent_decode(name), percent_decode(trim(item.substr(equals + 1))));
    }
    return result;
}

std::vector<std::string> parse_list(std::string_view text) {
    std::vector<std::string> items;
    for (const std::string_view item : split(text, ','))
        if (const std::string_view word = trim(item); !word.empty()) items.emplace_back(word);
    return items;
}

std::string metric_key(std::string_view name) {
    std::string key(name);
    std::ranges::replace(key, '_', '.');
    strip_one_suffix(key, {".ratio", ".bucket", ".sum", ".count", ".total"});
    strip_one_suffix(key, {".bytes", ".seconds"});
    return key;
}

std::string quote(std::string_view text) {
    constexpr std::array<std::string_view, 9> kWords{"true", "false", "yes", "no", "on", "off", "null", "y", "n"};
    const bool is_word =
        std::ranges::any_of(kWords, [&](std::string_view word) { return equals_ignoring_case(word, text); });
    const auto is_plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c == '.' || c == '/' ||
               c == '-';
    };
    const bool starts_plain = !text.empty() && (to_lower(text[0]) >= 'a' && to_lower(text[0]) <= 'z');
    const bool starts_path = text.starts_with('/');
    if (!is_word && (starts_plain || starts_path) && std::ranges::all_of(text, is_plain)) return std::string(text);

    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            quoted += '\\';
            quoted += c;
        } else if (c == '\n') {
            quoted += "\\n";
        } else if (c == '\t') {
            quoted += "\\t";
        } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        } else {
            quoted += c;
        }
    }
    return quoted + '"';
}

std::string quote_list(const std::vector<std::string>& items) {
    std::string text = "[";
    for (const std::string& item : items) {
        if (text.size() > 1) text += ", ";
        text += quote(item);
    }
    return text + ']';
}

}  // namespace waggle::config
