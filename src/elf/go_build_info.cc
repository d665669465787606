// SPDX-License-Identifier: Apache-2.0
#include "elf/go_build_info.h"

#include <bit>
#include <cstring>

#include "base/strings.h"

namespace waggle::elf {
namespace {

// The layout is debug/buildinfo's: magic, pointer size, flags, and from offset 32 (Go 1.18 and
// later) version and module text, each with its length before it; earlier two pointers to strings.
constexpr std::string_view kMagic = "\xff Go buildinf:";
constexpr size_t kPointers = 16;
constexpr size_t kInline = 32;
constexpr unsigned char kHasInline = 2;
constexpr unsigned char kIsBigEndian = 1;
constexpr size_t kMaxText = 1u << 20;
constexpr size_t kFrame = 16;  // the module text stands between two marks of this length

std::optional<std::string> take_inline(std::string_view& bytes) {
    std::uint64_t size = 0;
    for (int shift = 0;; shift += 7) {
        if (bytes.empty() || shift > 28) return std::nullopt;
        const auto byte = static_cast<unsigned char>(bytes.front());
        bytes.remove_prefix(1);
        size |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0) break;
    }
    if (size > bytes.size()) return std::nullopt;
    std::string text(bytes.substr(0, size));
    bytes.remove_prefix(size);
    return text;
}

std::optional<std::uint64_t> word_at(const Image& image, std::uint64_t address) {
    const auto bytes = image.read_address(address, sizeof(std::uint64_t));
    if (!bytes) return std::nullopt;
    std::uint64_t word = 0;
    std::memcpy(&word, bytes->data(), sizeof(word));
    return word;
}

// A Go string: pointer and length.
std::optional<std::string> text_at(const Image& image, std::string_view bytes, size_t offset) {
    std::uint64_t header = 0;
    if (bytes.size() < offset + sizeof(header)) return std::nullopt;
    std::memcpy(&header, bytes.data() + offset, sizeof(header));
    const auto data = word_at(image, header);
    const auto size = word_at(image, header + sizeof(std::uint64_t));
    if (!data || !size || *size > kMaxText) return std::nullopt;
    return image.read_address(*data, *size);
}

void read_modules(std::string_view text, GoBuildInfo& info) {
    if (text.size() < 2 * kFrame) return;
    text = text.substr(kFrame, text.size() - 2 * kFrame);
    for (const std::string_view line : split(text, '\n')) {
        const std::vector<std::string_view> fields = split(line, '\t');
        if (fields.size() < 2) continue;
        if (fields[0] == "path") info.main_package = fields[1];
        if (fields[0] == "mod") info.main_module = fields[1];
    }
}

}  // namespace

std::optional<GoBuildInfo> read_go_build_info(const Image& image) {
    const Section* section = image.section(".go.buildinfo");
    if (section == nullptr) return std::nullopt;
    const auto bytes = image.read(section->offset, std::min<std::uint64_t>(section->size, kMaxText));
    if (!bytes || bytes->size() < kInline || !bytes->starts_with(kMagic)) return std::nullopt;
    const auto flags = static_cast<unsigned char>((*bytes)[kMagic.size() + 1]);
    std::optional<std::string> version;
    std::optional<std::string> modules;
    if ((flags & kHasInline) != 0) {
        std::string_view rest = std::string_view(*bytes).substr(kInline);
        version = take_inline(rest);
        modules = take_inline(rest);
    } else if ((*bytes)[kMagic.size()] == sizeof(std::uint64_t) &&
               ((flags & kIsBigEndian) != 0) == (std::endian::native == std::endian::big)) {
        version = text_at(image, *bytes, kPointers);
        modules = text_at(image, *bytes, kPointers + sizeof(std::uint64_t));
    }
    GoBuildInfo info{.version = version.value_or("")};
    read_modules(modules.value_or(""), info);
    return info;
}

}  // namespace waggle::elf
