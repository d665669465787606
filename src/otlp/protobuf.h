// SPDX-License-Identifier: Apache-2.0
// Pieces of OTLP messages that spans and metrics have in common, for protozero.
#pragma once

#include <protozero/pbf_writer.hpp>
#include <string_view>

#include "otlp/fields.h"
#include "spans/attributes.h"
#include "spans/utf8.h"

namespace waggle::otlp {

template <typename Buffer>
void add_text(protozero::basic_pbf_writer<Buffer>& to, std::uint32_t tag, std::string_view text) {
    std::string storage;
    const std::string_view valid = spans::valid_utf8(text, storage);
    to.add_string(tag, valid.data(), valid.size());
}

inline std::size_t length_delimited_size(std::size_t length) {  // with a tag of one byte
    return 1 + static_cast<std::size_t>(protozero::length_of_varint(length)) + length;
}

// Writes the lengths first: spans are mostly attributes, and a message whose length is patched in afterwards
// moves its bytes once more.
template <typename Buffer>
void add_attribute(protozero::basic_pbf_writer<Buffer>& parent, std::uint32_t tag,
                   const spans::Attribute& attribute) {
    namespace v = field::any_value;
    std::string key_storage;
    std::string storage;
    const std::string_view key = spans::valid_utf8(attribute.key, key_storage);
    std::string_view text;
    std::size_t value_size = 2;  // bool
    if (const auto* given = std::get_if<std::string_view>(&attribute.value)) {
        text = spans::valid_utf8(*given, storage);
        value_size = length_delimited_size(text.size());
    } else if (const auto* number = std::get_if<std::int64_t>(&attribute.value)) {
        value_size = 1 + static_cast<std::size_t>(protozero::length_of_varint(static_cast<std::uint64_t>(*number)));
    } else if (std::holds_alternative<double>(attribute.value)) {
        value_size = 1 + sizeof(double);
    }
    const std::size_t pair_size = length_delimited_size(key.size()) + length_delimited_size(value_size);
    protozero::basic_pbf_writer<Buffer> pair(parent, tag, pair_size);
    pair.add_string(field::key_value::kKey, key.data(), key.size());
    protozero::basic_pbf_writer<Buffer> value(pair, field::key_value::kValue, value_size);
    if (std::holds_alternative<std::string_view>(attribute.value))
        value.add_string(v::kString, text.data(), text.size());
    else if (const auto* number = std::get_if<std::int64_t>(&attribute.value))
        value.add_int64(v::kInt, *number);
    else if (const auto* number = std::get_if<double>(&attribute.value))
        value.add_double(v::kDouble, *number);
    else
        value.add_bool(v::kBool, std::get<bool>(attribute.value));
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

template <typename Buffer, typename Id>
void add_id(protozero::basic_pbf_writer<Buffer>& to, std::uint32_t tag, const Id& id) {
    to.add_bytes(tag, reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
}

}  // namespace waggle::otlp
