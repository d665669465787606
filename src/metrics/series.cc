// SPDX-License-Identifier: Apache-2.0
#include "metrics/series.h"

#include <bit>
#include <cstring>
#include <functional>

namespace waggle::metrics {
namespace {

std::uint64_t mixed(std::uint64_t hash, std::uint64_t value) {
    hash ^= value + 0x9e3779b97f4a7c15u + (hash << 6) + (hash >> 2);
    hash *= 0xff51afd7ed558ccdu;
    return hash ^ (hash >> 32);
}

std::uint64_t hash_of(const spans::Value& value) {
    if (const auto* text = std::get_if<std::string_view>(&value)) return std::hash<std::string_view>{}(*text);
    if (const auto* number = std::get_if<std::int64_t>(&value)) return static_cast<std::uint64_t>(*number);
    if (const auto* number = std::get_if<double>(&value)) return std::bit_cast<std::uint64_t>(*number);
    return std::get<bool>(value) ? 1 : 2;
}

std::uint64_t hash_of(const AttributeSet& set, const ResourceState& resource) {
    std::uint64_t hash = mixed(std::bit_cast<std::uintptr_t>(&resource), set.present);
    for (std::uint32_t i = 0; i < set.size; ++i)
        if (set.present & (1u << i)) hash = mixed(hash, hash_of(set.values[i]));
    return hash;
}

bool is_same(const Row& row, const AttributeSet& set, const ResourceState& resource) {
    if (row.resource != &resource || row.present != set.present) return false;
    for (std::uint32_t i = 0; i < set.size; ++i)
        if ((set.present & (1u << i)) && row.values[i] != set.values[i]) return false;
    return true;
}

// Text in a metric attribute is a label somewhere: longer values are cut.
constexpr std::size_t kMaxText = 1024;

}  // namespace

void View::extract(const spans::Span& span, AttributeSet& set) const {
    set.present = 0;
    set.size = static_cast<std::uint32_t>(keys_.size());
    for (std::uint32_t i = 0; i < set.size; ++i) {
        const AttributeRow& key = keys_[i];
        if (key.get) {
            if (key.get(span, set.values[i])) set.present |= 1u << i;
        } else if (const spans::Value* value = span.attributes.find(key.name)) {
            set.values[i] = *value;
            set.present |= 1u << i;
        }
        if (auto* text = std::get_if<std::string_view>(&set.values[i]); text && text->size() > kMaxText)
            *text = text->substr(0, kMaxText);
    }
}

void View::extract(std::span<const spans::Attribute> attributes, AttributeSet& set) const {
    set.present = 0;
    set.size = static_cast<std::uint32_t>(keys_.size());
    for (std::uint32_t i = 0; i < set.size; ++i)
        for (const spans::Attribute& attribute : attributes)
            if (attribute.key == keys_[i].name) {
                set.values[i] = attribute.value;
                set.present |= 1u << i;
            }
}

std::unique_ptr<Row> View::make_row(const AttributeSet& set, std::uint64_t start_ns) const {
    auto row = std::make_unique<Row>();
    row->present = set.present;
    row->start_ns = start_ns;
    row->values.assign(set.values.begin(), set.values.begin() + set.size);
    std::size_t bytes = 0;
    for (const spans::Value& value : row->values)
        if (const auto* text = std::get_if<std::string_view>(&value)) bytes += text->size();
    row->text = std::make_unique_for_overwrite<char[]>(bytes);
    char* to = row->text.get();
    for (std::uint32_t i = 0; i < set.size; ++i) {
        if (!(set.present & (1u << i))) {
            row->values[i] = false;  // the scratch set keeps text of other spans there
            continue;
        }
        if (auto* text = std::get_if<std::string_view>(&row->values[i]); text && !text->empty()) {
            std::memcpy(to, text->data(), text->size());
            *text = {to, text->size()};
            to += text->size();
        }
    }
    row->cells.resize(actives_.size());
    return row;
}

Row& View::row(const AttributeSet& set, ResourceState& resource, std::uint64_t start_ns) {
    const std::uint64_t hash = hash_of(set, resource);
    const std::size_t mask = slots_.size() - 1;
    std::size_t slot = hash & mask;
    for (; slots_[slot] != kFree; slot = (slot + 1) & mask) {
        Row& row = *rows_[slots_[slot]];
        if (row.hash == hash && is_same(row, set, resource)) return row;
    }
    if (is_held_ || (limits_.series > 0 && size() >= limits_.series)) {
        if (!overflow_) overflow_ = make_row(AttributeSet{}, start_ns);
        return *overflow_;
    }
    auto row = make_row(set, start_ns);
    row->hash = hash;
    row->resource = &resource;
    ++resource.rows;
    std::uint32_t at = static_cast<std::uint32_t>(rows_.size());
    if (free_.empty()) {
        rows_.push_back(std::move(row));
    } else {
        at = free_.back();
        free_.pop_back();
        rows_[at] = std::move(row);
    }
    slots_[slot] = at;
    Row& made = *rows_[at];
    if (size() * 2 > slots_.size()) rebuild(slots_.size() * 2);
    return made;
}

void View::rebuild(std::size_t slots) {
    slots_.assign(slots, kFree);
    for (std::uint32_t at = 0; at < rows_.size(); ++at) {
        if (!rows_[at]->resource) continue;
        std::size_t slot = rows_[at]->hash & (slots - 1);
        while (slots_[slot] != kFree) slot = (slot + 1) & (slots - 1);
        slots_[slot] = at;
    }
}

void View::expire(std::uint64_t now_ns) {
    if (limits_.ttl_ns == 0) return;
    const auto is_old = [&](const Row& row) { return row.last_ns < now_ns && now_ns - row.last_ns > limits_.ttl_ns; };
    bool has_expired = false;
    for (std::uint32_t at = 0; at < rows_.size(); ++at) {
        if (!rows_[at]->resource || !is_old(*rows_[at])) continue;
        --rows_[at]->resource->rows;
        *rows_[at] = Row{};
        free_.push_back(at);
        has_expired = true;
    }
    if (has_expired) rebuild(slots_.size());
    if (overflow_ && is_old(*overflow_)) overflow_.reset();
}

}  // namespace waggle::metrics
