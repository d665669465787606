// SPDX-License-Identifier: Apache-2.0
#include "elf/go_functions.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <unordered_map>

namespace waggle::elf {
namespace {

constexpr std::uint64_t kMaxTable = 512u << 20;
constexpr std::uint64_t kMaxFunctions = 8u << 20;
constexpr std::uint64_t kMaxFunctionSize = 1 << 16;
constexpr std::uint64_t kChunk = 1u << 20;
constexpr std::size_t kMaxWindows = 1024;  // read of the descriptions, whatever their order
// What C programs put before Go's code, where both are linked into one.
constexpr std::uint64_t kMaxBefore = 1 << 16;
constexpr std::uint64_t kTextAlignment = 16;
constexpr std::uint64_t kPrologue = 32;

// runtime/symtab.go, pcHeader: the same from Go 1.18 to 1.26, but for the magic number.
struct Header {
    std::uint32_t magic;
    std::uint8_t zeros[2];
    std::uint8_t code_unit;
    std::uint8_t pointer_size;
    std::uint64_t functions;
    std::uint64_t files;
    std::uint64_t text_start;  // 0 from Go 1.26 on, and where the loader sets it
    std::uint64_t names;       // offsets in the table from here on
    std::uint64_t units;
    std::uint64_t file_names;
    std::uint64_t values;
    std::uint64_t entries;
};
static_assert(sizeof(Header) == 72);
constexpr std::uint32_t kGo118 = 0xfffffff0;
constexpr std::uint32_t kGo120 = 0xfffffff1;
constexpr std::uint32_t kGo116 = 0xfffffffa;
constexpr std::uint32_t kGo12 = 0xfffffffb;

// One per function, and one with the end of the code only.
struct Entry {
    std::uint32_t offset;       // of its code
    std::uint32_t description;  // where, from the first entry on
};
// What a description begins with.
struct Description {
    std::uint32_t offset;
    std::int32_t name;
};

template <typename T>
std::optional<T> record_at(const Image& image, const Section& table, std::uint64_t at) {
    if (at > table.size || sizeof(T) > table.size - at) return std::nullopt;
    const auto bytes = image.read(table.offset + at, sizeof(T));
    if (!bytes) return std::nullopt;
    T record;
    std::memcpy(&record, bytes->data(), sizeof(record));
    return record;
}

// Calls with each chunk of the range, and where it begins; a chunk begins with the last `overlap` bytes of the one
// before.
template <typename Each>
void in_chunks(const Image& image, const Section& table, std::uint64_t begin, std::uint64_t end, std::uint64_t overlap,
               Each each) {
    end = std::min(end, table.size);
    for (std::uint64_t at = begin; at < end;) {
        const std::uint64_t step = std::min(kChunk, end - at);
        const auto bytes = image.read(table.offset + at, step);
        if (!bytes || !each(at - begin, std::string_view(*bytes)) || step < kChunk) return;
        at += step - overlap;
    }
}

// By where a name stands, which of those asked for it is.
using Names = std::unordered_map<std::uint64_t, std::size_t>;

Names find_names(const Image& image, const Section& table, std::uint64_t begin, std::uint64_t end,
                 std::span<const std::string_view> names) {
    Names found;
    std::size_t longest = 1;
    for (const std::string_view name : names) longest = std::max(longest, name.size() + 2);
    in_chunks(image, table, begin, end, longest, [&](std::uint64_t at, std::string_view bytes) {
        for (std::size_t i = 0; i < names.size(); ++i) {
            // Whole ones only: others end like it.
            const std::string wanted = '\0' + std::string(names[i]) + '\0';
            for (std::size_t pos = bytes.find(wanted); pos != std::string_view::npos; pos = bytes.find(wanted, pos + 1))
                found[at + pos + 1] = i;
        }
        return found.size() < names.size();
    });
    return found;
}

struct Range {
    std::size_t name = 0;
    std::uint64_t offset = 0;  // from the begin of the program's code
    std::uint64_t size = 0;
};

// The descriptions stand in the order of the entries.
std::vector<Range> find_ranges(const Image& image, const Section& table, const Header& header, const Names& names) {
    std::vector<Range> ranges;
    std::uint64_t at = header.entries;
    std::uint64_t window_begin = 0;
    std::string window;
    std::size_t windows = 0;
    const auto description_at = [&](std::uint64_t offset) -> std::optional<Description> {
        if (offset < window_begin || offset + sizeof(Description) > window_begin + window.size()) {
            if (offset >= table.size || ++windows > kMaxWindows) return std::nullopt;
            window = image.read(table.offset + offset, std::min(kChunk, table.size - offset)).value_or("");
            window_begin = offset;
        }
        if (window.size() < sizeof(Description) || offset - window_begin > window.size() - sizeof(Description))
            return std::nullopt;
        Description description;
        std::memcpy(&description, window.data() + (offset - window_begin), sizeof(description));
        return description;
    };
    in_chunks(image, table, at, at + header.functions * sizeof(Entry) + sizeof(std::uint32_t), sizeof(Entry),
              [&](std::uint64_t, std::string_view bytes) {
                  for (std::size_t i = 0; i + sizeof(Entry) + sizeof(std::uint32_t) <= bytes.size();
                       i += sizeof(Entry)) {
                      Entry entry;
                      std::uint32_t next = 0;
                      std::memcpy(&entry, bytes.data() + i, sizeof(entry));
                      std::memcpy(&next, bytes.data() + i + sizeof(entry), sizeof(next));
                      const auto description = description_at(header.entries + entry.description);
                      if (!description || description->offset != entry.offset || next <= entry.offset) continue;
                      const auto name = names.find(static_cast<std::uint32_t>(description->name));
                      if (name != names.end()) ranges.push_back({name->second, entry.offset, next - entry.offset});
                  }
                  return ranges.size() < names.size();
              });
    std::erase_if(ranges, [](const Range& range) { return range.size > kMaxFunctionSize; });
    return ranges;
}

// Every Go function that may need more stack begins with a look at the goroutine's: cmp 0x10(%r14),%rsp; with a larger
// frame lea …(%rsp),%r12, or mov %rsp,%r12; sub; jb, and the same with %r12.
bool looks_at_stack(std::string_view code) {
    const auto has = [&](std::size_t at, std::string_view bytes) {
        return code.substr(std::min(at, code.size())).starts_with(bytes);
    };
    constexpr std::string_view kCompare = "\x4d\x3b\x66\x10";
    return has(0, "\x49\x3b\x66\x10") || (has(0, "\x4c\x8d\x64\x24") && has(5, kCompare)) ||
           (has(0, "\x4c\x8d\xa4\x24") && has(8, kCompare)) ||
           (has(0, "\x49\x89\xe4\x49\x81\xec") && code.find(kCompare) != std::string_view::npos);
}

bool is_text_start(const Image& image, std::uint64_t text, std::span<const Range> ranges) {
    return std::ranges::all_of(ranges, [&](const Range& range) {
        const auto code = image.read_address(text + range.offset, std::min(kPrologue, range.size));
        return code && looks_at_stack(*code);
    });
}

std::optional<std::uint64_t> find_text(const Image& image, const Header& header, std::span<const Range> ranges) {
    if (header.text_start && is_text_start(image, header.text_start, ranges)) return header.text_start;
    const Section* text = image.section(".text");
    for (std::uint64_t before = 0; text && before < std::min(kMaxBefore, text->size); before += kTextAlignment)
        if (is_text_start(image, text->address + before, ranges)) return text->address + before;
    return std::nullopt;
}

}  // namespace

Result<std::vector<Function>> find_go_functions(const Image& image, std::span<const std::string_view> names) {
    std::vector<Function> functions;
    const Section* table = image.section(".gopclntab");
    if (!table) table = image.section(".data.rel.ro.gopclntab");  // of one that can be loaded anywhere
    if (!table || table->size > kMaxTable) return functions;
    const auto header = record_at<Header>(image, *table, 0);
    if (!header) return functions;
    if (header->magic == kGo12 || header->magic == kGo116) {
        if (find_names(image, *table, 0, table->size, names).empty()) return functions;
        return fail("made by a Go before 1.18");
    }
    if ((header->magic != kGo118 && header->magic != kGo120) || header->pointer_size != sizeof(std::uint64_t))
        return functions;
    if (header->functions > kMaxFunctions || header->names > table->size || header->entries > table->size)
        return functions;
    const Names places = find_names(image, *table, header->names, std::max(header->names, header->units), names);
    if (places.empty()) return functions;
    if (image.machine() != EM_X86_64) return fail("code of a processor that is not known");
    const std::vector<Range> ranges = find_ranges(image, *table, *header, places);
    if (ranges.empty()) return functions;
    const auto text = find_text(image, *header, ranges);
    if (!text) return fail("its functions are not where its table says");
    for (const Range& range : ranges)
        functions.push_back({.name = range.name, .address = *text + range.offset, .size = range.size});
    return functions;
}

}  // namespace waggle::elf
