// SPDX-License-Identifier: Apache-2.0
#include "elf/symbols.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <ranges>
#include <string>
#include <unordered_map>

namespace waggle::elf {
namespace {

constexpr std::uint64_t kMaxTable = 256u << 20;
constexpr std::uint64_t kChunk = 1u << 20;
constexpr std::size_t kLongestMangled = 1024;

bool is_pattern(std::string_view name) { return name.starts_with('*'); }
std::string_view last_part(std::string_view pattern) { return pattern.substr(pattern.rfind('*') + 1); }

// What follows is a hash, an instance or a part (17h…, E…, .llvm.…); a longer name goes on with more of its path.
bool matches_one(std::string_view name, std::string_view pattern) {
    if (!name.starts_with("_Z") && !name.starts_with("_R")) return false;
    std::size_t at = 0;
    while (!pattern.empty()) {
        pattern.remove_prefix(1);
        const std::string_view part = pattern.substr(0, pattern.find('*'));
        pattern.remove_prefix(part.size());
        const std::size_t from = at;
        at = pattern.empty() ? name.rfind(part) : name.find(part, from);
        if (at == std::string_view::npos || at < from) return false;
        at += part.size();
    }
    const std::string_view rest = name.substr(at);
    return rest.empty() || rest.starts_with("17h") || rest.starts_with('E') || rest.starts_with('.');
}

// Calls with each way of saying it.
template <typename Each>
void each_alternative(std::string_view pattern, Each each) {
    for (const auto part : std::views::split(pattern, '|')) each(std::string_view(part.begin(), part.end()));
}

template <typename Found>
void find_mangled(std::string_view strings, std::string_view pattern, Found found) {
    each_alternative(pattern, [&](std::string_view one) {
        const std::string_view part = last_part(one);
        for (std::size_t pos = strings.find(part); pos != std::string_view::npos; pos = strings.find(part, pos + 1)) {
            const std::size_t before = strings.rfind('\0', pos);
            const std::size_t end = strings.find('\0', pos);
            if (before == std::string_view::npos || end == std::string_view::npos) continue;
            if (matches_mangled(strings.substr(before + 1, end - before - 1), one)) found(before + 1);
        }
    });
}

// Where in the string table the names end strings; linkers let a name be the end of a longer one.
std::unordered_map<std::uint32_t, std::size_t> find_names(const Image& image, const Section& strings,
                                                          std::span<const std::string_view> names) {
    std::unordered_map<std::uint32_t, std::size_t> found;
    std::size_t longest = 0;
    for (const std::string_view name : names)
        longest = std::max(longest, is_pattern(name) ? kLongestMangled : name.size() + 1);
    const std::uint64_t size = std::min(strings.size, kMaxTable);
    for (std::uint64_t at = 0; at < size;) {
        const std::uint64_t step = std::min(kChunk, size - at);
        const auto bytes = image.read(strings.offset + at, step);
        if (!bytes) break;
        for (std::size_t i = 0; i < names.size(); ++i) {
            if (is_pattern(names[i])) {
                find_mangled(*bytes, names[i],
                             [&](std::size_t pos) { found[static_cast<std::uint32_t>(at + pos)] = i; });
                continue;
            }
            const std::string wanted = std::string(names[i]) + '\0';
            for (std::size_t pos = bytes->find(wanted); pos != std::string::npos; pos = bytes->find(wanted, pos + 1))
                found[static_cast<std::uint32_t>(at + pos)] = i;
        }
        if (step < kChunk) break;
        at += step - (longest - 1);  // so that no occurrence is cut
    }
    return found;
}

void search(const Image& image, std::string_view table, std::string_view string_table,
            std::span<const std::string_view> names, std::vector<Function>& functions) {
    const Section* symbols = image.section(table);
    const Section* strings = image.section(string_table);
    if (!symbols || !strings) return;
    const auto wanted = find_names(image, *strings, names);
    if (wanted.empty()) return;
    constexpr std::uint64_t kStep = kChunk / sizeof(Elf64_Sym) * sizeof(Elf64_Sym);
    const std::uint64_t size = std::min(symbols->size, kMaxTable);
    for (std::uint64_t at = 0; at < size; at += kStep) {
        const auto bytes = image.read(symbols->offset + at, std::min(kStep, size - at));
        if (!bytes) return;
        for (std::size_t i = 0; i + sizeof(Elf64_Sym) <= bytes->size(); i += sizeof(Elf64_Sym)) {
            Elf64_Sym symbol;
            std::memcpy(&symbol, bytes->data() + i, sizeof(symbol));
            if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF || !symbol.st_value) continue;
            const auto name = wanted.find(symbol.st_name);
            if (name == wanted.end()) continue;
            const auto is_same = [&](const Function& known) {
                return known.name == name->second &&
                       (!is_pattern(names[known.name]) || known.address == symbol.st_value);
            };
            if (std::ranges::any_of(functions, is_same)) continue;
            functions.push_back({.name = name->second, .address = symbol.st_value, .size = symbol.st_size});
        }
    }
}

}  // namespace

bool matches_mangled(std::string_view name, std::string_view pattern) {
    bool is_match = false;
    each_alternative(pattern, [&](std::string_view one) { is_match |= matches_one(name, one); });
    return is_match;
}

std::vector<Function> find_functions(const Image& image, std::span<const std::string_view> names) {
    std::vector<Function> functions;
    search(image, ".dynsym", ".dynstr", names, functions);
    const auto is_missing = [&](std::size_t i) {
        return is_pattern(names[i]) || std::ranges::find(functions, i, &Function::name) == functions.end();
    };
    if (std::ranges::any_of(std::views::iota(std::size_t{0}, names.size()), is_missing))
        search(image, ".symtab", ".strtab", names, functions);
    return functions;
}

}  // namespace waggle::elf
