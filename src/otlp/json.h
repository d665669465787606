// SPDX-License-Identifier: Apache-2.0
// Pieces of OTLP/JSON that spans and metrics share: camelCase, ids in hex, 64-bit integers as
// strings (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding).
#pragma once

#include <string_view>

#include "otlp/json_writer.h"
#include "spans/attributes.h"
#include "spans/trace_context.h"

namespace waggle::otlp {

template <typename Attributes>
void write_attributes(JsonWriter& json, const Attributes& attributes) {
    json.key("attributes").begin_array();
    for (const spans::Attribute& attribute : attributes) {
        json.begin_object();
        json.key("key").text(attribute.key);
        json.key("value").begin_object();
        if (const auto* text = std::get_if<std::string_view>(&attribute.value))
            json.key("stringValue").text(*text);
        else if (const auto* number = std::get_if<std::int64_t>(&attribute.value))
            json.key("intValue").long_integer(*number);
        else if (const auto* number = std::get_if<double>(&attribute.value))
            json.key("doubleValue").number(*number);
        else
            json.key("boolValue").boolean(std::get<bool>(attribute.value));
        json.end_object();
        json.end_object();
    }
    json.end_array();
}

template <typename Attributes>
void write_resource(JsonWriter& json, const Attributes& attributes) {
    json.key("resource").begin_object();
    write_attributes(json, attributes);
    json.end_object();
}

inline void write_scope(JsonWriter& json, std::string_view name) {
    json.key("scope").begin_object();
    if (!name.empty()) {
        json.key("name").text(name);
        json.key("version").text(WAGGLE_VERSION);
    }
    json.end_object();
}

template <typename Id>
void write_id(JsonWriter& json, std::string_view key, const Id& id) {
    char text[2 * sizeof id.bytes];
    spans::write_hex(id.bytes.data(), id.bytes.size(), text);
    json.key(key).text({text, sizeof text});
}

}  // namespace waggle::otlp
