// SPDX-License-Identifier: Apache-2.0
#include "protocols/fastcgi/records.h"

#include <algorithm>

#include "base/strings.h"

namespace waggle::protocols::fastcgi {
namespace {

std::uint8_t byte_at(std::string_view bytes, std::size_t at) { return static_cast<std::uint8_t>(bytes[at]); }
std::uint16_t number_at(std::string_view bytes, std::size_t at) {
    return static_cast<std::uint16_t>(byte_at(bytes, at) << 8 | byte_at(bytes, at + 1));
}

bool is_of(Type type, Side side) {
    switch (type) {
        case Type::Begin:
        case Type::Abort:
        case Type::Params:
        case Type::Stdin:
        case Type::Data:
        case Type::GetValues:
            return side == Side::Request;
        case Type::End:
        case Type::Stdout:
        case Type::Stderr:
        case Type::GetValuesResult:
        case Type::Unknown:
            return side == Side::Response;
    }
    return false;
}

// One byte, or four of which the first is above 127.
std::optional<std::uint32_t> take_length(std::string_view& bytes) {
    if (bytes.empty()) return {};
    const std::size_t size = byte_at(bytes, 0) < 128 ? 1 : 4;
    if (bytes.size() < size) return {};
    std::uint32_t value = byte_at(bytes, 0) & 127u;
    for (std::size_t i = 1; i < size; ++i) value = value << 8 | byte_at(bytes, i);
    bytes.remove_prefix(size);
    return value;
}

}  // namespace

std::optional<Record> read_record(std::string_view bytes, Side side) {
    if (bytes.size() < kHeader || bytes[0] != 1) return {};
    const Record record{.type = static_cast<Type>(bytes[1]),
                        .id = number_at(bytes, 2),
                        .content = number_at(bytes, 4),
                        .padding = byte_at(bytes, 6)};
    if (!is_of(record.type, side)) return {};
    const bool is_of_connection =
        record.type == Type::GetValues || record.type == Type::GetValuesResult || record.type == Type::Unknown;
    if (is_of_connection != (record.id == 0)) return {};
    const bool has_body = record.type == Type::Begin || record.type == Type::End;
    if (has_body && record.content != kBody) return {};
    return record;
}

void Params::clear() {
    for (std::string* text : {&method, &target, &scheme, &user_agent, &traceparent, &tracestate}) text->clear();
    length.reset();
}

void read_params(std::string_view bytes, Params& params) {
    params.clear();
    std::string_view script, query;
    while (!bytes.empty()) {
        const auto name_size = take_length(bytes);
        const auto value_size = name_size ? take_length(bytes) : std::nullopt;
        if (!value_size || *name_size > bytes.size() || *value_size > bytes.size() - *name_size) break;
        const std::string_view name = bytes.substr(0, *name_size);
        const std::string_view value = bytes.substr(*name_size, *value_size);
        bytes.remove_prefix(std::size_t{*name_size} + *value_size);
        if (name == "REQUEST_METHOD")
            params.method.assign(value);
        else if (name == "REQUEST_URI")
            params.target.assign(value);
        else if (name == "SCRIPT_NAME")
            script = value;
        else if (name == "QUERY_STRING")
            query = value;
        else if (name == "REQUEST_SCHEME")
            params.scheme.assign(value);
        else if (name == "HTTPS" && equals_ignoring_case(value, "on"))
            params.scheme.assign("https");
        else if (name == "HTTP_USER_AGENT")
            params.user_agent.assign(value);
        else if (name == "HTTP_TRACEPARENT")
            params.traceparent.assign(value);
        else if (name == "CONTENT_LENGTH")
            params.length = parse_int<std::uint64_t>(value);
        else if (name == "HTTP_TRACESTATE")
            params.tracestate.assign(value);
    }
    if (!params.target.empty() || script.empty()) return;
    params.target.assign(script);
    if (!query.empty()) params.target.append("?").append(query);
}

Head read_head(std::string_view bytes) {
    Head head;
    bool is_moved = false, is_garbled = false;
    for (std::size_t at = 0; at < bytes.size();) {
        const std::size_t end = bytes.find('\n', at);
        if (end == std::string_view::npos) return head;
        const std::string_view line = trim(bytes.substr(at, end - at), "\r");
        at = end + 1;
        if (line.empty()) {
            head.size = at;
            if (head.status == 0 && !is_garbled) head.status = is_moved ? 302 : 200;
            return head;
        }
        const std::size_t colon = line.find(':');
        const std::string_view name = line.substr(0, colon);
        const std::string_view value =
            colon == std::string_view::npos ? std::string_view{} : trim(line.substr(colon + 1));
        is_moved |= equals_ignoring_case(name, "location");
        if (!equals_ignoring_case(name, "status")) continue;
        const bool is_alone = value.size() < 4 || value[3] == ' ';
        const auto status = is_alone ? parse_int<std::uint16_t>(value.substr(0, 3)) : std::nullopt;
        is_garbled |= !status || *status < 100;
        if (status && *status >= 100) head.status = *status;
    }
    return head;
}

// The first record says what it is: of its sixteen bytes but three are free.
Sniff sniff(std::string_view bytes, Side side) {
    if (side == Side::Response) return Sniff::No;
    constexpr std::string_view kForm("\1\1\0\0\0\x08\0\0\0\0\0\0\0\0\0\0", 16);
    for (std::size_t i = 0; i < std::min(bytes.size(), kForm.size()); ++i) {
        const bool is_free = i == 2 || i == 3 || i == 6;
        const std::uint8_t most = i == 9 ? 3 : i == 10 ? 1 : 0;  // role, flags
        if (!is_free && (most ? byte_at(bytes, i) > most : bytes[i] != kForm[i])) return Sniff::No;
    }
    if (bytes.size() < kForm.size()) return Sniff::NeedMore;
    return number_at(bytes, 2) > 0 && bytes[9] > 0 && byte_at(bytes, 6) < 8 ? Sniff::Yes : Sniff::No;
}

}  // namespace waggle::protocols::fastcgi
