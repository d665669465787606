// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <nlohmann/json.hpp>
#include <protozero/pbf_reader.hpp>

#include "base/strings.h"
#include "otlp/encode.h"
#include "otlp/fields.h"

namespace waggle::otlp {
namespace {

constexpr std::size_t kMaxMessage = 1024;
constexpr std::size_t kMaxJson = 64 * 1024;

PartialSuccess read_message(protozero::pbf_reader reader) {
    PartialSuccess out;
    while (reader.next()) {
        if (reader.tag_and_type() ==
            protozero::tag_and_type(field::response::kRejected, protozero::pbf_wire_type::varint)) {
            out.rejected = static_cast<std::uint64_t>(std::max<std::int64_t>(reader.get_int64(), 0));
        } else if (reader.tag_and_type() == protozero::tag_and_type(field::response::kErrorMessage,
                                                                    protozero::pbf_wire_type::length_delimited)) {
            const auto view = reader.get_view();
            out.message.assign(view.data(), std::min(view.size(), kMaxMessage));
        } else {
            reader.skip();
        }
    }
    return out;
}

std::uint64_t count_of(const nlohmann::json& value) {
    if (value.is_number_unsigned()) return value.get<std::uint64_t>();
    if (value.is_string()) return parse_int<std::uint64_t>(value.get_ref<const std::string&>()).value_or(0);
    return 0;
}

bool says_something(const PartialSuccess& out) { return out.rejected > 0 || !out.message.empty(); }

}  // namespace

std::optional<PartialSuccess> read_partial_success(std::string_view body) {
    try {  // protozero throws on damaged input
        protozero::pbf_reader reader(body.data(), body.size());
        while (reader.next(field::response::kPartialSuccess, protozero::pbf_wire_type::length_delimited)) {
            PartialSuccess out = read_message(reader.get_message());
            if (says_something(out)) return out;
        }
    } catch (const protozero::exception&) {
    }
    return std::nullopt;
}

std::optional<PartialSuccess> read_partial_success_json(std::string_view body) {
    if (body.size() > kMaxJson) return std::nullopt;
    const auto json = nlohmann::json::parse(body, nullptr, false);
    if (!json.is_object()) return std::nullopt;
    const auto partial = json.find("partialSuccess");
    if (partial == json.end() || !partial->is_object()) return std::nullopt;
    PartialSuccess out;
    for (const auto& [key, value] : partial->items()) {
        if (key == "rejectedSpans" || key == "rejectedDataPoints") out.rejected = count_of(value);
        if (key == "errorMessage" && value.is_string())
            out.message = value.get_ref<const std::string&>().substr(0, kMaxMessage);
    }
    if (!says_something(out)) return std::nullopt;
    return out;
}

}  // namespace waggle::otlp
