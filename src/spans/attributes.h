// SPDX-License-Identifier: Apache-2.0
// Attributes: what a span says, as OpenTelemetry key-value pairs in the order they were set. Keys are
// the constants of attribute_names.h; text values live in the batch's arena. No allocation once the
// vector has grown, since batches and their spans are recycled.
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

namespace waggle::spans {

using Value = std::variant<std::int64_t, double, bool, std::string_view>;

struct Attribute {
    std::string_view key;
    Value value;
};

class Attributes {
  public:
    // Sets or replaces. Text must outlive the batch (arena or static storage).
    void set(std::string_view key, Value value) {
        for (Attribute& attribute : items_)
            if (same(attribute.key, key)) {
                attribute.value = value;
                return;
            }
        items_.push_back({key, value});
    }
    // For keys that are known to be new.
    void add(std::string_view key, Value value) { items_.push_back({key, value}); }

    const Value* find(std::string_view key) const {
        for (const Attribute& attribute : items_)
            if (same(attribute.key, key)) return &attribute.value;
        return nullptr;
    }
    // The text of key, or empty when it is absent or no text.
    std::string_view text(std::string_view key) const {
        const Value* value = find(key);
        const auto* text = value ? std::get_if<std::string_view>(value) : nullptr;
        return text ? *text : std::string_view{};
    }
    // The number of key, or otherwise.
    std::int64_t number(std::string_view key, std::int64_t otherwise) const {
        const Value* value = find(key);
        const auto* number = value ? std::get_if<std::int64_t>(value) : nullptr;
        return number ? *number : otherwise;
    }
    void remove(std::string_view key) {
        std::erase_if(items_, [&](const Attribute& a) { return same(a.key, key); });
    }

    auto begin() const { return items_.begin(); }
    auto end() const { return items_.end(); }
    size_t size() const { return items_.size(); }
    void clear() { items_.clear(); }

  private:
    // Keys are constants: the pointer decides nearly always.
    static bool same(std::string_view a, std::string_view b) {
        return a.size() == b.size() && (a.data() == b.data() || a == b);
    }

    std::vector<Attribute> items_;
};

}  // namespace waggle::spans
