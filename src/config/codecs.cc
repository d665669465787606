// SPDX-License-Identifier: Apache-2.0
#include "config/codecs.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <cmath>

#include "base/secrets.h"

namespace waggle::config {
namespace {

std::optional<std::uint64_t> integer_of(std::string_view text) {
    if (text.starts_with("0x")) return parse_int<std::uint64_t>(text.substr(2), 16);
    if (text.starts_with("0o")) return parse_int<std::uint64_t>(text.substr(2), 8);
    return parse_int<std::uint64_t>(text);
}

std::optional<double> number_of(const std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return {};
    return value;
}

// Calls per_entry for each key of a map; anything else is an error.
template <typename PerEntry>
void each_entry(const Node& node, Reader& reader, std::string_view wanted, PerEntry per_entry) {
    if (!node.is_map()) return reader.error(node, fmt::format("must be a map: {}", wanted));
    for (const Node::Entry& entry : node.entries) {
        Reader inner = reader.at(entry.key);
        per_entry(entry, inner);
    }
}

void read_glob(const Node& node, std::optional<std::string>& value, Reader& reader) {
    if (const std::string* text = scalar_text(node, reader, "a glob")) value = *text;
}

}  // namespace

const std::string* scalar_text(const Node& node, Reader& reader, std::string_view wanted) {
    if (node.is_scalar()) return &node.text;
    reader.error(
        node, fmt::format("must be {}, not a {}", wanted, node.is_null() ? "null" : (node.is_list() ? "list" : "map")));
    return nullptr;
}

void read_bool(const Node& node, bool& value, Reader& reader) {
    const std::string* text = scalar_text(node, reader, "true or false");
    if (!text) return;
    if (const std::optional<bool> parsed = parse_bool(*text)) {
        value = *parsed;
        return;
    }
    if (!reader.is_text()) {  // YAML 1.1's words, as yaml.v3 takes them for booleans
        for (const auto& [word, meaning] :
             {std::pair{"yes", true}, {"on", true}, {"y", true}, {"no", false}, {"off", false}, {"n", false}}) {
            if (!equals_ignoring_case(word, *text)) continue;
            value = meaning;
            return;
        }
    }
    reader.error(node, fmt::format("{} is not a boolean; use true or false", quote(*text)));
}

void read_integer(const Node& node, std::uint64_t& value, std::uint64_t max, Reader& reader) {
    const std::string* text = scalar_text(node, reader, "a number");
    if (!text) return;
    const std::optional<std::uint64_t> parsed = integer_of(*text);
    if (parsed && *parsed <= max) {
        value = *parsed;
    } else {
        reader.error(node, fmt::format("{} is not a whole number from 0 to {}", quote(*text), max));
    }
}

void read_strings(const Node& node, std::vector<std::string>& value, Reader& reader) {
    if (node.is_scalar() && reader.is_text()) {
        value = parse_list(node.text);
    } else if (!node.is_list()) {
        reader.error(node, "must be a list, for example [a, b]");
    } else {
        value.clear();
        for (const Node& item : node.items)
            if (const std::string* text = scalar_text(item, reader, "a list of texts")) value.push_back(*text);
    }
}

void read_regex(const Node& node, std::optional<std::string>& value, Reader& reader) {
    const std::string* text = scalar_text(node, reader, "a regular expression");
    if (!text) return;
    value.reset();
    if (text->empty()) return;
    const RE2 compiled(*text, RE2::Quiet);
    if (!compiled.ok())
        return reader.error(node,
                            fmt::format("{} is not a regular expression (RE2): {}", quote(*text), compiled.error()));
    value = *text;
}

std::string print_pairs(std::span<const std::pair<std::string, std::string>> pairs, bool is_secret) {
    std::string text;
    for (const auto& [name, value] : pairs)
        text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", quote(name), is_secret ? "\"***\"" : quote(value));
    return '{' + text + '}';
}

void Codec<Duration>::read(const Node& node, Duration& value, Reader& reader) {
    const std::string* text = scalar_text(node, reader, "a duration");
    if (!text) return;
    if (!reader.is_text()) {
        if (const auto nanoseconds = parse_int<std::int64_t>(*text); nanoseconds && *nanoseconds >= 0) {
            value = Duration{*nanoseconds};
            if (value > 0ns && value < 1ms)
                reader.warn(node.line, fmt::format("{} is in nanoseconds; write {}s for seconds", *text, *text));
            return;
        }
    }
    const Result<Duration> parsed = parse_duration(*text);
    if (!parsed) return reader.error(node, parsed.error().message);
    value = *parsed;
}

void AsMilliseconds::read(const Node& node, Duration& value, Reader& reader) {
    constexpr std::int64_t kMost = std::int64_t{1} << 40;  // 34 years
    const auto count = node.is_scalar() ? parse_int<std::int64_t>(node.text) : std::nullopt;
    if (!reader.is_text() || !count || *count < 0) return Codec<Duration>::read(node, value, reader);
    value = std::chrono::milliseconds(std::min(*count, kMost));
}

void Codec<PortSet>::read(const Node& node, PortSet& value, Reader& reader) {
    const std::string* text = scalar_text(node, reader, "text like 80,443,8000-8999");
    if (!text) return;
    Result<PortSet> parsed = parse_ports(*text);
    if (!parsed) return reader.error(node, parsed.error().message);
    value = std::move(*parsed);
}

void Codec<std::vector<std::uint32_t>>::read(const Node& node, std::vector<std::uint32_t>& value, Reader& reader) {
    if (!node.is_list() && !node.is_scalar()) return reader.error(node, "must be a list of numbers");
    Node one = {.kind = Node::Kind::List, .line = node.line};
    if (node.is_scalar()) one.items.push_back(node);
    value.clear();
    for (const Node& item : node.is_list() ? node.items : one.items) {
        std::uint64_t number = 0;
        read_integer(item, number, std::numeric_limits<std::uint32_t>::max(), reader);
        value.push_back(static_cast<std::uint32_t>(number));
    }
}

std::string Codec<std::vector<std::uint32_t>>::print(const std::vector<std::uint32_t>& value) {
    return fmt::format("[{}]", fmt::join(value, ", "));
}

void Codec<double>::read(const Node& node, double& value, Reader& reader) {
    const std::string* text = scalar_text(node, reader, "a number");
    if (!text) return;
    const std::optional<double> number = number_of(*text);
    if (!number) return reader.error(node, fmt::format("{} is not a number", flow(node)));
    value = *number;
}

std::string Codec<double>::print(double value) { return fmt::format("{}", value); }

void Codec<std::optional<std::vector<double>>>::read(const Node& node, std::optional<std::vector<double>>& value,
                                                     Reader& reader) {
    constexpr size_t kMost = 160;
    if (!node.is_list()) return reader.error(node, "must be a list of numbers, for example [0.1, 1, 10]");
    if (node.items.size() > kMost) return reader.error(node, fmt::format("has more than {} boundaries", kMost));
    std::vector<double> numbers;
    for (const Node& item : node.items) {
        const std::optional<double> number = number_of(item.text);
        if (!number) return reader.error(item, fmt::format("{} is not a number", flow(item)));
        if (!numbers.empty() && *number <= numbers.back())
            return reader.error(
                item, fmt::format("{} does not follow {}: boundaries must increase", item.text, numbers.back()));
        numbers.push_back(*number);
    }
    value = std::move(numbers);
}

std::string Codec<std::optional<std::vector<double>>>::print(const std::optional<std::vector<double>>& value) {
    return value ? fmt::format("[{}]", fmt::join(*value, ", ")) : "null";
}

void Codec<std::map<std::string, AttributeSelect>>::read(const Node& node,
                                                         std::map<std::string, AttributeSelect>& value,
                                                         Reader& reader) {
    value.clear();
    each_entry(node, reader, "metric: {include: [...], exclude: [...]}", [&](const auto& metric, Reader& at) {
        if (metric.value.is_null()) return;
        AttributeSelect& select = value[metric.key];
        each_entry(metric.value, at, "{include: [...], exclude: [...]}", [&](const auto& list, Reader& inner) {
            if (list.key == "include")
                read_strings(list.value, select.include, inner);
            else if (list.key == "exclude")
                read_strings(list.value, select.exclude, inner);
            else
                at.warn(list.line, fmt::format("unknown key {}; include and exclude are known", quote(list.key)));
        });
    });
}

std::string Codec<std::map<std::string, AttributeSelect>>::print(const std::map<std::string, AttributeSelect>& value) {
    std::string text;
    for (const auto& [metric, select] : value)
        text += fmt::format("{}{}: {{include: {}, exclude: {}}}", text.empty() ? "" : ", ", quote(metric),
                            quote_list(select.include), quote_list(select.exclude));
    return '{' + text + '}';
}

void Codec<std::map<std::string, AttributeFilter>>::read(const Node& node,
                                                         std::map<std::string, AttributeFilter>& value,
                                                         Reader& reader) {
    value.clear();
    each_entry(node, reader, "attribute: {match: glob}", [&](const auto& attribute, Reader& at) {
        AttributeFilter& filter = value[attribute.key];
        bool is_known = true;
        each_entry(attribute.value, at, "{match: glob} or {not_match: glob}", [&](const auto& test, Reader& inner) {
            if (test.key == "match") return read_glob(test.value, filter.match, inner);
            if (test.key == "not_match") return read_glob(test.value, filter.not_match, inner);
            is_known = false;
        });
        if (attribute.value.is_map() && (!is_known || filter.match.has_value() == filter.not_match.has_value()))
            at.error(attribute.value, "needs exactly one of match and not_match");
    });
}

std::string Codec<std::map<std::string, AttributeFilter>>::print(const std::map<std::string, AttributeFilter>& value) {
    std::string text;
    for (const auto& [attribute, filter] : value)
        text += fmt::format("{}{}: {{{}: {}}}", text.empty() ? "" : ", ", quote(attribute),
                            filter.match ? "match" : "not_match",
                            quote(filter.match ? *filter.match : filter.not_match.value_or("")));
    return '{' + text + '}';
}

void AsPairs::read(const Node& node, Pairs& value, Reader& reader) {
    value.clear();
    if (node.is_scalar()) {
        KeyValues parsed = parse_key_values(node.text);
        value = std::move(parsed.pairs);
        if (parsed.malformed > 0)
            reader.warn(node.line,
                        fmt::format("{} of its entries are not name=value and are left out", parsed.malformed));
        return;
    }
    each_entry(node, reader, "{name: value}", [&](const auto& entry, Reader& inner) {
        if (const std::string* text = scalar_text(entry.value, inner, "text")) value.emplace_back(entry.key, *text);
    });
}

std::string AsUrl::print(const std::string& value) { return quote(mask_url(value)); }

std::uint64_t AsBytes::bytes(const Node& node, std::uint64_t value, std::uint64_t max, Reader& reader) {
    const std::string* text = scalar_text(node, reader, "a size");
    if (!text) return value;
    const Result<std::uint64_t> parsed = parse_bytes(*text);
    if (!parsed) {
        reader.error(node, parsed.error().message);
    } else if (*parsed > max) {
        reader.error(node, fmt::format("{} is more than {}", quote(*text), format_bytes(max)));
    } else {
        return *parsed;
    }
    return value;
}

std::string not_one_of(std::string_view word, std::span<const std::string_view> allowed) {
    const std::string_view meant = nearest(word, allowed);
    return fmt::format("{} is none of {}{}", quote(word), fmt::join(allowed, ", "),
                       meant.empty() ? "" : fmt::format("; did you mean {}?", meant));
}

}  // namespace waggle::config
