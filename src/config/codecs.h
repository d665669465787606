// SPDX-License-Identifier: Apache-2.0
// Codecs: how each type of setting is read from a Node and printed as YAML flow text. Chosen by the
// member's type, or named in the table's row where one type has several notations.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "config/config.h"
#include "config/fields.h"
#include "config/values.h"

namespace waggle::config {

// The scalar's text; an error, and nothing, when the node is a list or a section.
const std::string* scalar_text(const Node& node, Reader& reader, std::string_view wanted);
void read_bool(const Node& node, bool& value, Reader& reader);
void read_integer(const Node& node, std::uint64_t& value, std::uint64_t max, Reader& reader);
void read_strings(const Node& node, std::vector<std::string>& value, Reader& reader);
void read_regex(const Node& node, std::optional<std::string>& value, Reader& reader);
std::string print_pairs(std::span<const std::pair<std::string, std::string>> pairs, bool is_secret);

template <>
struct Codec<bool> {
    static constexpr std::string_view kType = "boolean";
    static void read(const Node& node, bool& value, Reader& reader) { read_bool(node, value, reader); }
    static std::string print(bool value) { return value ? "true" : "false"; }
};

template <>
struct Codec<std::optional<bool>> {
    static constexpr std::string_view kType = "boolean";
    static void read(const Node& node, std::optional<bool>& value, Reader& reader) {
        bool plain = value.value_or(false);
        read_bool(node, plain, reader);
        value = plain;
    }
    static std::string print(const std::optional<bool>& value) { return value ? Codec<bool>::print(*value) : "null"; }
};

template <std::unsigned_integral T>
struct Codec<T> {
    static constexpr std::string_view kType = sizeof(T) == 2 ? "port" : "integer";
    static void read(const Node& node, T& value, Reader& reader) {
        std::uint64_t wide = value;
        read_integer(node, wide, std::numeric_limits<T>::max(), reader);
        value = static_cast<T>(wide);
    }
    static std::string print(T value) { return std::to_string(value); }
};

template <>
struct Codec<double> {
    static constexpr std::string_view kType = "number";
    static void read(const Node& node, double& value, Reader& reader);
    static std::string print(double value);
};

template <>
struct Codec<std::string> {
    static constexpr std::string_view kType = "text";
    static void read(const Node& node, std::string& value, Reader& reader) {
        if (const std::string* text = scalar_text(node, reader, "text")) value = *text;
    }
    static std::string print(const std::string& value) { return quote(value); }
};

template <>
struct Codec<std::optional<std::string>> {
    static constexpr std::string_view kType = "text";
    static void read(const Node& node, std::optional<std::string>& value, Reader& reader) {
        if (const std::string* text = scalar_text(node, reader, "text")) value = *text;
    }
    static std::string print(const std::optional<std::string>& value) { return quote(value.value_or("")); }
};

template <>
struct Codec<Duration> {
    static constexpr std::string_view kType = "duration";
    static void read(const Node& node, Duration& value, Reader& reader);
    static std::string print(Duration value) { return format_duration(value); }
};

template <>
struct Codec<PortSet> {
    static constexpr std::string_view kType = "ports";
    static void read(const Node& node, PortSet& value, Reader& reader);
    static std::string print(const PortSet& value) { return quote(format_ports(value)); }
};

// Here empty text is "not set"; elsewhere it is no port list.
struct AsPortsOrNone : Codec<PortSet> {
    static void read(const Node& node, PortSet& value, Reader& reader) {
        if (node.is_scalar() && node.text.empty()) return value.ranges.clear();
        Codec<PortSet>::read(node, value, reader);
    }
};

template <>
struct Codec<std::vector<std::string>> {
    static constexpr std::string_view kType = "list";
    static constexpr bool kNullEmpties = true;
    static void read(const Node& node, std::vector<std::string>& value, Reader& reader) {
        read_strings(node, value, reader);
    }
    static std::string print(const std::vector<std::string>& value) { return quote_list(value); }
};

template <>
struct Codec<std::vector<std::uint32_t>> {
    static constexpr std::string_view kType = "list of integers";
    static void read(const Node& node, std::vector<std::uint32_t>& value, Reader& reader);
    static std::string print(const std::vector<std::uint32_t>& value);
};

template <>
struct Codec<std::optional<std::vector<double>>> {
    static constexpr std::string_view kType = "list of numbers";
    static void read(const Node& node, std::optional<std::vector<double>>& value, Reader& reader);
    static std::string print(const std::optional<std::vector<double>>& value);
};

template <>
struct Codec<std::vector<SelectorConfig>> {  // selector.cc
    static constexpr std::string_view kType = "list of selectors";
    static constexpr bool kNullEmpties = true;
    static void read(const Node& node, std::vector<SelectorConfig>& value, Reader& reader);
    static std::string print(const std::vector<SelectorConfig>& value);
};

template <>
struct Codec<std::map<std::string, AttributeSelect>> {
    static constexpr std::string_view kType = "map metric → {include, exclude}";
    static constexpr bool kNullEmpties = true;
    static void read(const Node& node, std::map<std::string, AttributeSelect>& value, Reader& reader);
    static std::string print(const std::map<std::string, AttributeSelect>& value);
};

template <>
struct Codec<std::map<std::string, AttributeFilter>> {
    static constexpr std::string_view kType = "map attribute → {match} or {not_match}";
    static constexpr bool kNullEmpties = true;
    static void read(const Node& node, std::map<std::string, AttributeFilter>& value, Reader& reader);
    static std::string print(const std::map<std::string, AttributeFilter>& value);
};

// name=value pairs: a map in YAML, or the OpenTelemetry text "a=1,b=2" with percent-encoded values.
struct AsPairs {
    static constexpr std::string_view kType = "map";
    static constexpr bool kNullEmpties = true;
    static void read(const Node& node, Pairs& value, Reader& reader);
    static std::string print(const Pairs& value) { return print_pairs(value, false); }
};

struct AsHeaders : AsPairs {
    static std::string print(const Pairs& value) { return print_pairs(value, true); }
};

struct AsSecret : Codec<std::string> {
    static std::string print(const std::string& value) { return value.empty() ? "\"\"" : "\"***\""; }
};

// A path to a key; the key itself by mistake is not shown.
struct AsKeyFile : Codec<std::string> {
    static constexpr std::string_view kType = "path";
    static std::string print(const std::string& value) {
        return value.contains("-----BEGIN") ? "\"***\"" : quote(value);
    }
};

struct AsUrl : Codec<std::string> {
    static constexpr std::string_view kType = "URL";
    static std::string print(const std::string& value);  // user:password and query masked
};

// RE2, compiled once here to report its errors; empty text is no regular expression.
struct AsRegex {
    static constexpr std::string_view kType = "regular expression";
    static void read(const Node& node, std::optional<std::string>& value, Reader& reader) {
        read_regex(node, value, reader);
    }
    static std::string print(const std::optional<std::string>& value) { return quote(value.value_or("")); }
};

struct AsBytes {
    static constexpr std::string_view kType = "size";
    template <std::unsigned_integral T>
    static void read(const Node& node, T& value, Reader& reader) {
        value = static_cast<T>(bytes(node, value, std::numeric_limits<T>::max(), reader));
    }
    static std::string print(std::uint64_t value) { return format_bytes(value); }
    static std::uint64_t bytes(const Node& node, std::uint64_t value, std::uint64_t max, Reader& reader);
};

// OpenTelemetry's variables count in milliseconds; in YAML and with a unit it is a Go duration.
struct AsMilliseconds : Codec<Duration> {
    static constexpr std::string_view kType = "duration, in variables milliseconds";
    static void read(const Node& node, Duration& value, Reader& reader);
};

// A word that is none of the allowed ones: says which are, and which was perhaps meant.
std::string not_one_of(std::string_view word, std::span<const std::string_view> allowed);

// An enum by its names (an array of pairs, the canonical name of each value first), ignoring case.
// Strict: an unknown word is an error. Otherwise a warning and the value stays, where Beyla does
// not refuse to start either.
template <const auto& Names, bool is_strict = true>
struct AsEnum {
    using Enum = typename std::remove_cvref_t<decltype(Names)>::value_type::second_type;
    static constexpr std::string_view kType = "word";

    static void read(const Node& node, Enum& value, Reader& reader) {
        if (const std::optional<Enum> found = find(node, print(value), reader)) value = *found;
    }
    static void read(const Node& node, std::optional<Enum>& value, Reader& reader) {
        if (node.is_scalar() && node.text.empty()) return value.reset();
        if (const std::optional<Enum> found = find(node, "unset", reader)) value = *found;
    }
    static std::string print(Enum value) {
        for (const auto& [name, named] : Names)
            if (named == value) return quote(name);
        return {};
    }
    static std::string print(const std::optional<Enum>& value) { return value ? print(*value) : "null"; }

  private:
    static std::optional<Enum> find(const Node& node, std::string_view kept, Reader& reader) {
        const std::string* text = scalar_text(node, reader, "a word");
        if (!text) return std::nullopt;
        std::vector<std::string_view> allowed;
        for (const auto& [name, named] : Names) {
            if (equals_ignoring_case(name, *text)) return named;
            if (!name.empty()) allowed.push_back(name);
        }
        if constexpr (is_strict)
            reader.error(node, not_one_of(*text, allowed));
        else
            reader.warn(node.line, not_one_of(*text, allowed) + "; it stays " + std::string(kept));
        return std::nullopt;
    }
};

}  // namespace waggle::config
