// SPDX-License-Identifier: Apache-2.0
// Pieces of OTLP messages that spans and metrics have in common, for protozero.
#pragma once

#include <protozero/pbf_writer.hpp>
#include <string_view>

#include "otlp/fields.h"
#include "spans/attributes.h"
#include "spans/utf8.h"

namespace waggle::otlp {

inline void add_text(protozero::pbf_writer& to, std::uint32_t tag, std::string_view text) {
    std::string storage;
    const std::string_view valid = spans::valid_utf8(text, storage);
    to.add_string(tag, valid.data(), valid.size());
}

inline void add_attribute(protozero::pbf_writer& parent, std::uint32_t tag,
                          const spans::Attribute& attribute) {
    protozero::pbf_writer pair(parent, tag);
    add_text(pair, field::key_value::kKey, attribute.key);
    protozero::pbf_writer value(pair, field::key_value::kValue);
    if (const auto* text = std::get_if<std::string_view>(&attribute.value))
        add_text(value, field::any_value::kString, *text);
    else if (const auto* number = std::get_if<std::int64_t>(&attribute.value))
        value.add_int64(field::any_value::kInt, *number);
    else if (const auto* number = std::get_if<double>(&attribute.value))
        value.add_double(field::any_value::kDouble, *number);
    else
        value.add_bool(field::any_value::kBool, std::get<bool>(attribute.value));
}

template <typename Attributes>
void add_resource(protozero::pbf_writer& parent, const Attributes& attributes) {
    protozero::pbf_writer resource(parent, field::by_resource::kResource);
    for (const spans::Attribute& attribute : attributes)
        add_attribute(resource, field::resource::kAttributes, attribute);
}

inline void add_scope(protozero::pbf_writer& parent, std::string_view name) {
    protozero::pbf_writer scope(parent, field::by_scope::kScope);
    if (name.empty()) return;
    add_text(scope, field::scope::kName, name);
    add_text(scope, field::scope::kVersion, WAGGLE_VERSION);
}

template <typename Id>
void add_id(protozero::pbf_writer& to, std::uint32_t tag, const Id& id) {
    to.add_bytes(tag, reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
}

}  // namespace waggle::otlp
