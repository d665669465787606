// SPDX-License-Identifier: Apache-2.0
#include "protocols/redis/resp.h"

#include "base/strings.h"
#include "protocols/redis/commands.h"

namespace waggle::protocols::redis {
namespace {

constexpr std::int64_t kMaxString = std::int64_t{1} << 40;
constexpr std::int64_t kMaxCount = std::int64_t{1} << 32;
constexpr std::string_view kTypes = "+-:$*_#,(!=%~>|";

bool is_string(char type) { return type == '$' || type == '!' || type == '='; }

}  // namespace

bool is_aggregate(char type) { return type == '*' || type == '%' || type == '~' || type == '>' || type == '|'; }

Element read_element(std::string_view front) {
    Element element;
    const std::size_t end = std::min(front.find("\r\n"), front.size());
    element.type = front[0];
    element.line = front.substr(1, end - 1);
    if (is_string(element.type) || is_aggregate(element.type)) {
        element.count = parse_int<std::int64_t>(element.line).value_or(-1);
        if (end + 2 <= front.size()) element.payload = front.substr(end + 2);
        if (element.count >= 0) element.payload = element.payload.substr(0, static_cast<std::size_t>(element.count));
    }
    return element;
}

Parsed<Unit> parse_element(std::string_view bytes, std::size_t wanted, bool is_final) {
    if (bytes.empty()) return std::unexpected(Stop::NeedMore);
    const char type = bytes[0];
    if (kTypes.find(type) == std::string_view::npos) return std::unexpected(Stop::Invalid);
    const bool has_count = is_string(type) || is_aggregate(type);
    const std::size_t end = bytes.find("\r\n");
    if (end == std::string_view::npos) {
        const bool is_long = bytes.size() > (has_count ? 24 : kMaxLine);
        return std::unexpected(is_long ? Stop::Invalid : Stop::NeedMore);
    }
    const std::size_t line = end + 2;
    if (!has_count) return Unit{.size = line, .front = line};
    const auto count = parse_int<std::int64_t>(bytes.substr(1, end - 1));
    if (!count || *count < -1 || *count > (is_string(type) ? kMaxString : kMaxCount))
        return std::unexpected(Stop::Invalid);
    if (!is_string(type) || *count < 0) return Unit{.size = line, .front = line};
    const std::size_t front = line + std::min<std::uint64_t>(wanted, static_cast<std::uint64_t>(*count));
    const Unit unit{.size = line + static_cast<std::uint64_t>(*count) + 2, .front = std::min(front, bytes.size())};
    if (bytes.size() < front && !is_final) return std::unexpected(Stop::NeedMore);
    return unit;
}

bool Nesting::add(const Element& element) {
    if (is_complete()) restart();
    is_begun_ = true;
    if (is_aggregate(element.type) && element.count > 0) {
        if (depth_ == kMaxDepth) return false;
        const bool has_pairs = element.type == '%' || element.type == '|';
        const auto count = static_cast<std::uint64_t>(element.count);
        frames_[depth_++] = {.left = has_pairs ? 2 * count : count, .is_attribute = element.type == '|'};
        return true;
    }
    if (element.type == '|') return true;  // an empty one
    complete();
    return true;
}

// An element of the innermost aggregate is whole, and maybe those around it.
void Nesting::complete() {
    while (depth_ > 0) {
        Frame& frame = frames_[depth_ - 1];
        if (--frame.left > 0) return;
        --depth_;
        if (!frame.is_attribute) continue;
        // What it was about follows.
        if (depth_ == 0) is_begun_ = false;
        return;
    }
}

std::string_view error_prefix(std::string_view text) {
    const std::string_view word = text.substr(0, std::min(text.find_first_of(" \r"), text.size()));
    for (const char c : word)
        if (!(c >= 'A' && c <= 'Z') && c != '_') return "ERR";
    return word.empty() || word.size() > 32 ? std::string_view("ERR") : word;
}

// A command as an array whose first string is a command's name. Replies look like much else, but a primary sends its
// replicas commands, which may be the first that is seen of such a link.
Sniff sniff(std::string_view bytes, Side) {
    if (bytes.empty()) return Sniff::NeedMore;
    if (bytes[0] != '*') return Sniff::No;
    const auto array = parse_element(bytes, 0, false);
    if (!array) return array.error() == Stop::NeedMore ? Sniff::NeedMore : Sniff::No;
    if (read_element(bytes.substr(0, array->front)).count < 1) return Sniff::No;
    bytes.remove_prefix(array->size);
    if (bytes.empty()) return Sniff::NeedMore;
    if (bytes[0] != '$') return Sniff::No;
    const auto name = parse_element(bytes, 32, false);
    if (!name) return name.error() == Stop::NeedMore ? Sniff::NeedMore : Sniff::No;
    const Element element = read_element(bytes.substr(0, name->front));
    if (element.count < 1 || element.count > 32) return Sniff::No;
    std::array<char, 32> capitals{};
    for (std::size_t i = 0; i < element.payload.size(); ++i) {
        const char c = element.payload[i];
        capitals[i] = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    }
    return is_command({capitals.data(), element.payload.size()}) ? Sniff::Yes : Sniff::No;
}

}  // namespace waggle::protocols::redis
