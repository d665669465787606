// SPDX-License-Identifier: Apache-2.0
// Decoder: HPACK (RFC 7541) for one direction of one connection. Exact where it has seen every block since
// the start. Where it has not, an index counts from the newest entry, so that what was inserted since is
// known and everything older is unknown: never wrong, and complete again with time. The peer's
// SETTINGS_HEADER_TABLE_SIZE is of no concern: an encoder says in the block which size it uses (§4.2).
// Memory is bounded by kMaxTable.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/http2/fields.h"

namespace waggle::protocols::http2 {

class Decoder {
  public:
    static constexpr std::size_t kMaxTable = 64 * 1024;
    static constexpr std::size_t kFirstTable = 4096;  // size before an encoder says another (RFC 9113 §6.5.2)

    enum class Result : std::uint8_t { Whole, Cut, Malformed };

    // Blocks were missed: what stands in the table by now is unknown, and how large it is.
    void lose() {
        entries_ = size_ = 0;
        is_exact_ = is_size_known_ = false;
    }
    bool is_exact() const { return is_exact_; }
    std::size_t entries() const { return entries_; }

    // Adds what the block says to fields. Cut: the block ends in the midst of a field, fields have what stood
    // before. After Cut and Malformed what blocks inserted is lost.
    Result decode(std::string_view block, Fields& fields);

  private:
    // Values of no interest are not kept, only their size.
    struct Entry {
        Name name = Name::Other;
        std::uint32_t size = 0;  // as the table counts it
        std::uint32_t name_size = 0;
        std::string value;
    };
    struct Text {
        std::string_view coded;
        bool is_huffman = false;
    };
    enum class Read : std::uint8_t { Ok, Cut, Malformed };

    Read read_field(std::string_view block, std::size_t& at, bool is_first, Fields& fields);
    Read read_indexed(std::uint64_t index, Fields& fields);
    Read read_literal(std::string_view block, std::size_t& at, unsigned prefix, bool is_inserted, Fields& fields);
    static Read read_integer(std::string_view block, std::size_t& at, unsigned prefix, std::uint64_t& value);
    static Read read_text(std::string_view block, std::size_t& at, Text& text);
    static bool decode_text(const Text& text, std::size_t keep, std::string& out, std::size_t& size);
    const Entry* find(std::uint64_t index) const;  // of the dynamic table, from 1
    bool is_beyond(std::uint64_t index) const;
    void insert(Name name, std::size_t name_size, std::string_view value, std::size_t value_size);
    void set_limit(std::uint64_t limit);
    void evict(std::size_t limit);

    // A ring: the newest entry stands at newest_.
    std::vector<Entry> ring_;
    std::size_t newest_ = 0;
    std::size_t entries_ = 0;
    std::size_t size_ = 0;
    std::uint64_t limit_ = kFirstTable;
    bool is_size_known_ = true;
    bool is_exact_ = true;
    std::string name_;
    std::string value_;
};

}  // namespace waggle::protocols::http2
