// SPDX-License-Identifier: Apache-2.0
// Image: a bounds-checked look into an ELF file. Reads in small pieces instead of mapping it: a
// file that is cut off meanwhile cannot kill us (SIGBUS), and a large one costs no memory.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace waggle::elf {

struct Section {
    std::string name;
    std::uint32_t type = 0;
    std::uint64_t address = 0;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
};

class Image {
  public:
    // 64-bit files of this machine's byte order only.
    static Result<Image> open(const std::string& path);

    const Section* section(std::string_view name) const;
    bool has_section(std::string_view name) const { return section(name) != nullptr; }
    std::span<const Section> sections() const { return sections_; }
    std::uint64_t size() const { return size_; }
    std::uint16_t machine() const { return machine_; }  // EM_X86_64 …

    // Is there a symbol (of either symbol table) that contains, or starts with, the text?
    bool has_symbol_containing(std::string_view text) const;
    bool has_symbol_prefix(std::string_view prefix) const;
    // Names of the shared libraries it asks for, at most 512.
    std::vector<std::string> needed() const;
    // Does the text occur in the first limit bytes of the section?
    bool section_contains(std::string_view name, std::string_view text, std::uint64_t limit) const;

    // Exactly size bytes at the file offset, or nothing. size is at most 16 MiB.
    std::optional<std::string> read(std::uint64_t offset, std::uint64_t size) const;
    // The same at a virtual address, inside what the file holds of one segment.
    std::optional<std::string> read_address(std::uint64_t address, std::uint64_t size) const;
    // Where in the file the byte at the address stands.
    std::optional<std::uint64_t> offset_of(std::uint64_t address) const;

  private:
    struct Segment {
        std::uint64_t address = 0;
        std::uint64_t offset = 0;
        std::uint64_t size = 0;
    };

    Image(Fd fd, std::uint64_t size) : fd_(std::move(fd)), size_(size) {}
    Result<void> read_headers();
    bool contains(std::uint64_t offset, std::uint64_t size, std::string_view text) const;
    bool has_symbol(std::string_view text) const;

    Fd fd_;
    std::uint64_t size_ = 0;
    std::uint16_t machine_ = 0;
    std::vector<Section> sections_;
    std::vector<Segment> segments_;
};

}  // namespace waggle::elf
