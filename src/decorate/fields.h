// SPDX-License-Identifier: Apache-2.0
// Fields: what attribute filters may ask of a span, by name: its attributes, its resource, and what
// metrics call a call's two ends.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "spans/span.h"

namespace waggle::decorate {

// Room for a number's digits.
using FieldText = std::array<char, 32>;

struct Field {
    std::string_view name;  // with dots
    // Null: an attribute of the span, else of its resource.
    std::string_view (*get)(const spans::Span& span, FieldText& storage) = nullptr;
};

// By name with dots or underscores.
const Field* find_field(std::string_view name);

// Empty when the span does not have it. Valid while span and storage are.
std::string_view field_of(const spans::Span& span, const Field& field, FieldText& storage);

}  // namespace waggle::decorate
