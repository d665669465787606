// SPDX-License-Identifier: Apache-2.0
#include "elf/image.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace waggle::elf {
namespace {

constexpr std::uint64_t kMaxRead = 16u << 20;
constexpr std::uint64_t kMaxSections = 8192;
constexpr std::uint64_t kMaxSegments = 512;
constexpr std::uint64_t kMaxNames = 1u << 20;     // of the section name table
constexpr std::uint64_t kMaxStrings = 64u << 20;  // searched of a symbol string table
constexpr size_t kChunk = 64 * 1024;
constexpr unsigned char kByteOrder = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;

template <typename T>
std::vector<T> records(std::string_view bytes) {
    std::vector<T> all(bytes.size() / sizeof(T));
    if (!all.empty()) std::memcpy(all.data(), bytes.data(), all.size() * sizeof(T));
    return all;
}

std::string text_at(std::string_view table, std::uint64_t offset) {
    if (offset >= table.size()) return {};
    const std::string_view rest = table.substr(offset);
    return std::string(rest.substr(0, std::min<size_t>(rest.find('\0'), 256)));
}

}  // namespace

Result<Image> Image::open(const std::string& path) {
    Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!fd.is_open()) return fail_errno(path);
    struct ::stat file{};
    if (::fstat(fd.get(), &file) != 0) return fail_errno(path);
    if (!S_ISREG(file.st_mode)) return fail(path + ": no regular file");
    Image image(std::move(fd), static_cast<std::uint64_t>(file.st_size));
    if (auto read = image.read_headers(); !read) return std::unexpected(std::move(read.error()).context(path));
    return image;
}

Result<void> Image::read_headers() {
    const auto bytes = read(0, sizeof(Elf64_Ehdr));
    if (!bytes) return fail("no ELF file");
    const Elf64_Ehdr header = records<Elf64_Ehdr>(*bytes)[0];
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return fail("no ELF file");
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != kByteOrder)
        return fail("no 64-bit ELF file of this byte order");
    machine_ = header.e_machine;

    if (header.e_phentsize == sizeof(Elf64_Phdr) && header.e_phnum <= kMaxSegments) {
        const auto table = read(header.e_phoff, header.e_phnum * sizeof(Elf64_Phdr));
        for (const Elf64_Phdr& segment : records<Elf64_Phdr>(table.value_or("")))
            if (segment.p_type == PT_LOAD) segments_.push_back({segment.p_vaddr, segment.p_offset, segment.p_filesz});
    }

    if (header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shnum > kMaxSections) return {};
    const auto table = read(header.e_shoff, header.e_shnum * sizeof(Elf64_Shdr));
    const std::vector<Elf64_Shdr> headers = records<Elf64_Shdr>(table.value_or(""));
    if (header.e_shstrndx >= headers.size()) return {};
    const Elf64_Shdr& names = headers[header.e_shstrndx];
    const std::string text = read(names.sh_offset, std::min<std::uint64_t>(names.sh_size, kMaxNames)).value_or("");
    for (const Elf64_Shdr& section : headers)
        sections_.push_back({.name = text_at(text, section.sh_name),
                             .type = section.sh_type,
                             .address = section.sh_addr,
                             .offset = section.sh_offset,
                             .size = section.sh_type == SHT_NOBITS ? 0 : section.sh_size});
    return {};
}

const Section* Image::section(std::string_view name) const {
    const auto found = std::ranges::find(sections_, name, &Section::name);
    return found == sections_.end() ? nullptr : &*found;
}

std::optional<std::string> Image::read(std::uint64_t offset, std::uint64_t size) const {
    if (size > kMaxRead || offset > size_ || size > size_ - offset) return std::nullopt;
    std::string bytes(size, '\0');
    for (size_t done = 0; done < size;) {
        const ssize_t got = ::pread(fd_.get(), bytes.data() + done, size - done, static_cast<off_t>(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return std::nullopt;
        done += static_cast<size_t>(got);
    }
    return bytes;
}

std::optional<std::string> Image::read_address(std::uint64_t address, std::uint64_t size) const {
    for (const Segment& segment : segments_) {
        if (address < segment.address) continue;
        const std::uint64_t inside = address - segment.address;
        if (inside >= segment.size || size > segment.size - inside) continue;
        if (segment.offset > size_ || inside > size_ - segment.offset) continue;
        return read(segment.offset + inside, size);
    }
    return std::nullopt;
}

std::optional<std::uint64_t> Image::offset_of(std::uint64_t address) const {
    for (const Segment& segment : segments_)
        if (address >= segment.address && address - segment.address < segment.size)
            return segment.offset + (address - segment.address);
    return std::nullopt;
}

// Chunk by chunk; each begins with the end of the one before, so that no occurrence is cut.
bool Image::contains(std::uint64_t offset, std::uint64_t size, std::string_view text) const {
    if (text.empty() || text.size() > kChunk / 2 || offset >= size_) return false;
    size = std::min(size, size_ - offset);
    for (std::uint64_t done = 0; done + text.size() <= size;) {
        const std::uint64_t step = std::min<std::uint64_t>(kChunk, size - done);
        const auto bytes = read(offset + done, step);
        if (!bytes) return false;
        if (::memmem(bytes->data(), bytes->size(), text.data(), text.size()) != nullptr) return true;
        if (step < kChunk) return false;
        done += step - (text.size() - 1);
    }
    return false;
}

bool Image::section_contains(std::string_view name, std::string_view text, std::uint64_t limit) const {
    const Section* found = section(name);
    return found != nullptr && contains(found->offset, std::min(found->size, limit), text);
}

// The names lie NUL-terminated in the string tables: no need to go through the symbols.
bool Image::has_symbol(std::string_view text) const {
    return section_contains(".dynstr", text, kMaxStrings) || section_contains(".strtab", text, kMaxStrings);
}

bool Image::has_symbol_containing(std::string_view text) const { return has_symbol(text); }

bool Image::has_symbol_prefix(std::string_view prefix) const { return has_symbol(std::string(1, '\0').append(prefix)); }

std::vector<std::string> Image::needed() const {
    constexpr std::uint64_t kMaxDynamic = 65536;
    std::vector<std::string> names;
    const Section* dynamic = section(".dynamic");
    const Section* strings = section(".dynstr");
    if (dynamic == nullptr || strings == nullptr) return names;
    const auto entries = read(dynamic->offset, std::min(dynamic->size, kMaxDynamic));
    const auto text = read(strings->offset, std::min(strings->size, kMaxRead));
    if (!entries || !text) return names;
    for (const Elf64_Dyn& entry : records<Elf64_Dyn>(*entries)) {
        if (entry.d_tag == DT_NULL || names.size() == 512) break;
        if (entry.d_tag == DT_NEEDED) names.push_back(text_at(*text, entry.d_un.d_val));
    }
    return names;
}

}  // namespace waggle::elf
