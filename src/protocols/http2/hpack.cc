// SPDX-License-Identifier: Apache-2.0
#include "protocols/http2/hpack.h"

#include <algorithm>
#include <array>

#include "protocols/http2/huffman.h"

namespace waggle::protocols::http2 {
namespace {

struct StaticEntry {
    std::string_view name;
    std::string_view value;
};

// RFC 7541 appendix A.
constexpr std::array<StaticEntry, 61> kStatic = {{
    {":authority", ""},
    {":method", "GET"},
    {":method", "POST"},
    {":path", "/"},
    {":path", "/index.html"},
    {":scheme", "http"},
    {":scheme", "https"},
    {":status", "200"},
    {":status", "204"},
    {":status", "206"},
    {":status", "304"},
    {":status", "400"},
    {":status", "404"},
    {":status", "500"},
    {"accept-charset", ""},
    {"accept-encoding", "gzip, deflate"},
    {"accept-language", ""},
    {"accept-ranges", ""},
    {"accept", ""},
    {"access-control-allow-origin", ""},
    {"age", ""},
    {"allow", ""},
    {"authorization", ""},
    {"cache-control", ""},
    {"content-disposition", ""},
    {"content-encoding", ""},
    {"content-language", ""},
    {"content-length", ""},
    {"content-location", ""},
    {"content-range", ""},
    {"content-type", ""},
    {"cookie", ""},
    {"date", ""},
    {"etag", ""},
    {"expect", ""},
    {"expires", ""},
    {"from", ""},
    {"host", ""},
    {"if-match", ""},
    {"if-modified-since", ""},
    {"if-none-match", ""},
    {"if-range", ""},
    {"if-unmodified-since", ""},
    {"last-modified", ""},
    {"link", ""},
    {"location", ""},
    {"max-forwards", ""},
    {"proxy-authenticate", ""},
    {"proxy-authorization", ""},
    {"range", ""},
    {"referer", ""},
    {"refresh", ""},
    {"retry-after", ""},
    {"server", ""},
    {"set-cookie", ""},
    {"strict-transport-security", ""},
    {"transfer-encoding", ""},
    {"user-agent", ""},
    {"vary", ""},
    {"via", ""},
    {"www-authenticate", ""},
}};

constexpr auto kStaticNames = [] {
    std::array<Name, kStatic.size()> names{};
    for (std::size_t i = 0; i < names.size(); ++i) names[i] = name_of(kStatic[i].name);
    return names;
}();

constexpr std::size_t kEntryOverhead = 32;
constexpr std::size_t kMaxEntries = Decoder::kMaxTable / kEntryOverhead;
constexpr std::size_t kLongestName = 17;  // of those of interest

}  // namespace

Decoder::Result Decoder::decode(std::string_view block, Fields& fields) {
    std::size_t at = 0;
    bool is_first = true;
    while (at < block.size()) {
        const bool is_update = (static_cast<std::uint8_t>(block[at]) & 0xe0) == 0x20;
        const Read read = read_field(block, at, is_first, fields);
        if (read == Read::Ok) {
            is_first &= is_update;
            continue;
        }
        lose();
        fields.add_missing();
        return read == Read::Cut ? Result::Cut : Result::Malformed;
    }
    return Result::Whole;
}

Decoder::Read Decoder::read_field(std::string_view block, std::size_t& at, bool is_first, Fields& fields) {
    const auto byte = static_cast<std::uint8_t>(block[at]);
    std::uint64_t value = 0;
    if (byte & 0x80) {
        const Read read = read_integer(block, at, 7, value);
        return read == Read::Ok ? read_indexed(value, fields) : read;
    }
    if (byte & 0x40) return read_literal(block, at, 6, true, fields);
    if (byte & 0x20) {
        const Read read = read_integer(block, at, 5, value);
        if (read != Read::Ok) return read;
        if (!is_first) return Read::Malformed;
        set_limit(value);
        return Read::Ok;
    }
    return read_literal(block, at, 4, false, fields);
}

Decoder::Read Decoder::read_indexed(std::uint64_t index, Fields& fields) {
    if (index == 0) return Read::Malformed;
    if (index <= kStatic.size()) {
        fields.add(kStaticNames[index - 1], kStatic[index - 1].value);
        return Read::Ok;
    }
    const Entry* entry = find(index - kStatic.size());
    if (!entry) {
        if (is_beyond(index - kStatic.size())) return Read::Malformed;
        fields.add_missing();
    } else {
        fields.add(entry->name, entry->value);
    }
    return Read::Ok;
}

Decoder::Read Decoder::read_literal(std::string_view block, std::size_t& at, unsigned prefix, bool is_inserted,
                                    Fields& fields) {
    std::uint64_t index = 0;
    if (const Read read = read_integer(block, at, prefix, index); read != Read::Ok) return read;
    Name name = Name::Unknown;
    std::size_t name_size = 0;
    if (index == 0) {
        Text text;
        if (const Read read = read_text(block, at, text); read != Read::Ok) return read;
        if (!decode_text(text, kLongestName, name_, name_size) || name_size == 0) return Read::Malformed;
        name = name_size <= kLongestName ? name_of(name_) : Name::Other;
    } else if (index <= kStatic.size()) {
        name = kStaticNames[index - 1];
        name_size = kStatic[index - 1].name.size();
    } else if (const Entry* entry = find(index - kStatic.size())) {
        name = entry->name;
        name_size = entry->name_size;
    } else if (is_beyond(index - kStatic.size())) {
        return Read::Malformed;
    }
    Text text;
    if (const Read read = read_text(block, at, text); read != Read::Ok) return read;
    const bool is_wanted = name < Name::kCount;
    if (!is_wanted && !is_inserted) {
        fields.add(name, {});
        return Read::Ok;
    }
    std::size_t value_size = 0;
    if (!decode_text(text, is_wanted ? Fields::kMaxValue : 0, value_, value_size)) return Read::Malformed;
    fields.add(name, value_);
    if (is_inserted) insert(name, name_size, value_, value_size);
    return Read::Ok;
}

Decoder::Read Decoder::read_integer(std::string_view block, std::size_t& at, unsigned prefix, std::uint64_t& value) {
    const std::uint64_t mask = (1u << prefix) - 1;
    if (at >= block.size()) return Read::Cut;
    value = static_cast<std::uint8_t>(block[at++]) & mask;
    if (value < mask) return Read::Ok;
    for (unsigned shift = 0; shift <= 28; shift += 7) {
        if (at >= block.size()) return Read::Cut;
        const auto byte = static_cast<std::uint8_t>(block[at++]);
        value += std::uint64_t{byte & 0x7fu} << shift;
        if (!(byte & 0x80)) return Read::Ok;
    }
    return Read::Malformed;
}

Decoder::Read Decoder::read_text(std::string_view block, std::size_t& at, Text& text) {
    if (at >= block.size()) return Read::Cut;
    text.is_huffman = static_cast<std::uint8_t>(block[at]) & 0x80;
    std::uint64_t size = 0;
    if (const Read read = read_integer(block, at, 7, size); read != Read::Ok) return read;
    if (size > block.size() - at) return Read::Cut;
    text.coded = block.substr(at, size);
    at += size;
    return Read::Ok;
}

bool Decoder::decode_text(const Text& text, std::size_t keep, std::string& out, std::size_t& size) {
    if (text.is_huffman) return decode_huffman(text.coded, keep, out, size);
    out.assign(text.coded.substr(0, keep));
    size = text.coded.size();
    return true;
}

const Decoder::Entry* Decoder::find(std::uint64_t index) const {
    if (index == 0 || index > entries_) return nullptr;
    return &ring_[(newest_ + ring_.size() - (index - 1)) % ring_.size()];
}

// No entry has this index, whatever was missed.
bool Decoder::is_beyond(std::uint64_t index) const {
    if (is_exact_ && limit_ <= kMaxTable) return index > entries_;
    return is_size_known_ && index > limit_ / kEntryOverhead;
}

void Decoder::set_limit(std::uint64_t limit) {
    limit_ = limit;
    is_size_known_ = true;
    evict(std::min<std::uint64_t>(limit_, kMaxTable));
}

void Decoder::evict(std::size_t limit) {
    while (size_ > limit || entries_ > kMaxEntries) {
        Entry& oldest = ring_[(newest_ + ring_.size() - (entries_ - 1)) % ring_.size()];
        size_ -= oldest.size;
        if (oldest.value.capacity() > 256) std::string().swap(oldest.value);
        --entries_;
    }
}

void Decoder::insert(Name name, std::size_t name_size, std::string_view value, std::size_t value_size) {
    const std::size_t size = name_size + value_size + kEntryOverhead;
    // Too large for the table: it empties it (§4.4). Where the table's size is not known it may stand there.
    if (size > (is_size_known_ ? std::min<std::uint64_t>(limit_, kMaxTable) : kFirstTable)) {
        if (limit_ > kMaxTable || !is_size_known_) is_exact_ = false;
        entries_ = size_ = 0;
        return;
    }
    const std::uint64_t limit = is_size_known_ ? std::min<std::uint64_t>(limit_, kMaxTable) : kMaxTable;
    evict(limit - size);
    if (entries_ == ring_.size()) {
        // The oldest first, so that there is room behind the newest.
        if (!ring_.empty())
            std::rotate(ring_.begin(), ring_.begin() + static_cast<std::ptrdiff_t>((newest_ + 1) % ring_.size()),
                        ring_.end());
        ring_.emplace_back();
        newest_ = ring_.size() - 1;
    } else {
        newest_ = (newest_ + 1) % ring_.size();
    }
    Entry& entry = ring_[newest_];
    entry.name = name;
    entry.size = static_cast<std::uint32_t>(size);
    entry.name_size = static_cast<std::uint32_t>(name_size);
    entry.value.assign(value);
    size_ += size;
    ++entries_;
}

}  // namespace waggle::protocols::http2
