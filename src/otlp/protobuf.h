// SPDX-License-Identifier: Apache-2.0
// Pieces of OTLP messages that spans and metrics have in common, for protozero.
#pragma once

#include <array>
#include <protozero/buffer_fixed.hpp>
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

// A few bytes of a message, written on their own.
class Piece {
  public:
    void add_varint(std::uint64_t value) { protozero::add_varint_to_buffer(&buffer_, value); }
    // In front of the field's bytes, of which there are `length`.
    void add_length(std::uint32_t tag, std::size_t length) {
        add_varint(tag << 3 | static_cast<std::uint32_t>(protozero::pbf_wire_type::length_delimited));
        add_varint(length);
    }
    auto writer() { return protozero::basic_pbf_writer<protozero::fixed_size_buffer_adaptor>(buffer_); }
    const char* data() const { return bytes_.data(); }
    std::size_t size() const { return buffer_.size(); }

  private:
    std::array<char, 24> bytes_;
    protozero::fixed_size_buffer_adaptor buffer_{bytes_.data(), bytes_.size()};
};

// Spans are mostly attributes: a writer for each message in here would move its bytes once more to put the
// length in front.
template <typename Writer>
void add_attribute(Writer& parent, std::uint32_t tag, const spans::Attribute& attribute) {
    namespace v = field::any_value;
    std::string key_storage;
    std::string storage;
    const std::string_view key = spans::valid_utf8(attribute.key, key_storage);
    std::string_view text;
    Piece any;
    if (const auto* given = std::get_if<std::string_view>(&attribute.value)) {
        text = spans::valid_utf8(*given, storage);
        any.add_length(v::kString, text.size());
    } else if (const auto* number = std::get_if<std::int64_t>(&attribute.value)) {
        any.writer().add_int64(v::kInt, *number);
    } else if (const auto* fraction = std::get_if<double>(&attribute.value)) {
        any.writer().add_double(v::kDouble, *fraction);
    } else {
        any.writer().add_bool(v::kBool, std::get<bool>(attribute.value));
    }
    Piece before_key;
    before_key.add_length(field::key_value::kKey, key.size());
    Piece before_value;
    before_value.add_length(field::key_value::kValue, any.size() + text.size());
    parent.add_bytes_vectored(tag, before_key, key, before_value, any, text);
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
