// SPDX-License-Identifier: Apache-2.0
#include "elf/own_names.h"

#include <Zydis/Zydis.h>
#include <elf.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "elf/unwind_table.h"

namespace waggle::elf {
namespace {

constexpr std::uint64_t kChunk = 1u << 20;
constexpr std::uint64_t kMaxSection = 512u << 20;
constexpr std::size_t kOverlap = 512;  // longer than any string or instruction that is looked for
constexpr std::size_t kMaxReferences = 1 << 16;
constexpr std::uint64_t kMaxFunction = 4096;
constexpr std::size_t kLea = 3;  // bytes of the instruction before the address
constexpr std::size_t kMov = 1;
constexpr std::uint64_t kNumbers = 1ull << 63;  // above any address: a number that names a function

// What stands at an address of read-only data.
struct Strings {
    std::map<std::uint64_t, std::size_t> names;  // which of them; of those that are numbers, from kNumbers on
    std::set<std::uint64_t> files;
    // The addresses among them are from here on, so many bytes.
    std::uint64_t low = 0;
    std::uint64_t span = 0;
    bool has_numbers = false;
    void note_bounds() {
        low = *files.begin();
        std::uint64_t high = *files.rbegin();
        for (const auto& [at, name] : names) {
            has_numbers |= at >= kNumbers;
            if (at >= kNumbers) continue;
            low = std::min(low, at);
            high = std::max(high, at);
        }
        span = high - low;
    }
};

struct Reference {
    std::uint64_t at;  // the instruction
    std::uint64_t to;
};

// The section in pieces that overlap; each with the address of its begin.
void each_piece(const Image& image, const Section& section,
                const std::function<void(std::string_view, std::uint64_t)>& each) {
    const std::uint64_t size = std::min(section.size, kMaxSection);
    for (std::uint64_t at = 0; at < size;) {
        const std::uint64_t step = std::min(kChunk, size - at);
        const auto bytes = image.read(section.offset + at, step);
        if (!bytes) return;
        each(*bytes, section.address + at);
        if (step < kChunk) return;
        at += step - kOverlap;
    }
}

bool is_caller(std::string_view name) { return name.starts_with('>'); }
std::string_view own_part(std::string_view name) { return name.substr(is_caller(name) ? 1 : 0); }
std::optional<std::uint32_t> number_of(std::string_view name) {
    const std::string_view text = own_part(name);
    std::uint32_t value = 0;
    const bool is_number =
        text.starts_with('#') && std::from_chars(text.data() + 1, text.data() + text.size(), value).ec == std::errc();
    return is_number ? std::optional(value) : std::nullopt;
}

template <typename Found>
void each_occurrence(std::string_view bytes, std::string_view text, Found found) {
    for (std::size_t at = bytes.find(text); at != std::string_view::npos; at = bytes.find(text, at + 1)) found(at);
}

void look_for_strings(std::string_view bytes, std::uint64_t address, const OwnNames& wanted, Strings& strings) {
    // The path may be of any length: what refers to it does so by its begin.
    each_occurrence(bytes, std::string(wanted.file) + '\0', [&](std::size_t at) {
        const std::size_t before = at ? bytes.rfind('\0', at - 1) : std::string_view::npos;
        if (before != std::string_view::npos && at - before < kOverlap) strings.files.insert(address + before + 1);
    });
    for (std::size_t i = 0; i < wanted.names.size(); ++i)
        if (!number_of(wanted.names[i]))
            each_occurrence(bytes, std::string(own_part(wanted.names[i])) + '\0',
                            [&](std::size_t at) { strings.names[address + at] = i; });
}

// How far before these four bytes the instruction begins that loads an address by them: lea with an offset from the
// next instruction, or mov of a number. 0: neither.
std::size_t address_begins(std::string_view code, std::size_t at) {
    const auto byte = [&](std::size_t back) { return static_cast<std::uint8_t>(code[at - back]); };
    if (at >= kLea && (byte(1) & 0xc7) == 0x05 && byte(2) == 0x8d && (byte(3) & 0xfb) == 0x48) return kLea;
    return at >= kMov && (byte(1) & 0xf8) == 0xb8 ? kMov : 0;
}

void look_for_references(std::string_view code, std::uint64_t address, const Strings& strings,
                         std::vector<Reference>& found) {
    constexpr char kMovToSecondArgument = '\xbe';
    const auto add = [&](std::uint64_t at, std::uint64_t to) {
        if (found.size() < kMaxReferences) found.push_back({.at = at, .to = to});
    };
    for (std::size_t at = 0; at + sizeof(std::uint32_t) <= code.size(); ++at) {
        std::uint32_t value;
        std::memcpy(&value, code.data() + at, sizeof(value));
        const std::uint64_t relative =
            address + at + sizeof(value) + static_cast<std::uint64_t>(std::int64_t{static_cast<std::int32_t>(value)});
        if (strings.has_numbers && at && code[at - 1] == kMovToSecondArgument &&
            strings.names.contains(kNumbers + value))
            add(address + at - 1, kNumbers + value);
        if (relative - strings.low > strings.span && value - strings.low > strings.span) continue;
        const std::size_t before = address_begins(code, at);
        const std::uint64_t to = before == kLea ? relative : value;
        if (!before || (!strings.names.contains(to) && !strings.files.contains(to))) continue;
        add(address + at - before, to);
    }
}

// Is each of these the begin of an instruction, when the code is read from the function's begin on?
bool are_instructions(const Image& image, std::uint64_t begin, std::uint64_t size,
                      const std::set<std::uint64_t>& wanted) {
    const auto code = image.read_address(begin, size);
    if (!code) return false;
    ZydisDecoder decoder;
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    std::size_t seen = 0;
    for (std::size_t at = 0; at < code->size();) {
        ZydisDecodedInstruction instruction;
        if (!ZYAN_SUCCESS(
                ZydisDecoderDecodeInstruction(&decoder, nullptr, code->data() + at, code->size() - at, &instruction)))
            return false;
        seen += wanted.contains(begin + at);
        at += instruction.length;
    }
    return seen == wanted.size();
}

// A function, and what it refers to.
struct Candidate {
    std::uint64_t address;
    std::uint64_t size;
    std::set<std::size_t> names;  // but those of callers
    std::set<std::size_t> called;
    bool has_file = false;
};

// Those that refer to anything, each reference being an instruction of theirs.
std::vector<Candidate> candidates(const Image& image, const OwnNames& wanted, const Strings& strings,
                                  const std::vector<Reference>& references) {
    std::vector<Candidate> found;
    each_unwound(image, [&](std::uint64_t address, std::uint64_t size) {
        Candidate candidate{.address = address, .size = size, .names = {}, .called = {}};
        std::set<std::uint64_t> instructions;
        for (auto at = std::ranges::lower_bound(references, address, {}, &Reference::at);
             at != references.end() && at->at - address < size; ++at) {
            instructions.insert(at->at);
            const auto name = strings.names.find(at->to);
            if (name == strings.names.end())
                candidate.has_file = true;
            else
                (is_caller(wanted.names[name->second]) ? candidate.called : candidate.names).insert(name->second);
        }
        if (instructions.empty() || size > kMaxFunction) return;
        const bool has_name = !candidate.names.empty() || !candidate.called.empty();
        if (!has_name || are_instructions(image, address, size, instructions)) found.push_back(std::move(candidate));
    });
    return found;
}

// Adds the one function; a second one of its name makes it none.
class Unique {
  public:
    void add(std::size_t name, std::uint64_t address, std::uint64_t size) {
        const auto [at, is_first] =
            by_name_.try_emplace(name, Function{.name = name, .address = address, .size = size});
        if (!is_first && at->second.address != address) at->second.size = 0;
    }
    void forbid(std::size_t name) { by_name_[name] = {.name = name, .address = 0, .size = 0}; }
    std::vector<Function> all() const {
        std::vector<Function> found;
        for (const auto& [name, function] : by_name_)
            if (function.size) found.push_back(function);
        return found;
    }

  private:
    std::map<std::size_t, Function> by_name_;
};

// Where the code calls one of these addresses.
std::vector<Reference> calls_of(const Image& image, const Section& text,
                                const std::map<std::uint64_t, std::size_t>& targets) {
    std::vector<Reference> found;
    each_piece(image, text, [&](std::string_view code, std::uint64_t address) {
        constexpr char kCall = '\xe8';
        for (std::size_t at = code.find(kCall); at != std::string_view::npos && at + 5 <= code.size();
             at = code.find(kCall, at + 1)) {
            std::int32_t distance;
            std::memcpy(&distance, code.data() + at + 1, sizeof(distance));
            const std::uint64_t to = address + at + 5 + static_cast<std::uint64_t>(std::int64_t{distance});
            if (targets.contains(to) && found.size() < kMaxReferences) found.push_back({.at = address + at, .to = to});
        }
    });
    std::ranges::sort(found, {}, &Reference::at);
    return found;
}

// The one caller of each of these functions that reports no errors itself.
void add_callers(const Image& image, const Section& text, const std::vector<Function>& called,
                 const std::vector<Candidate>& reporting, Unique& found) {
    std::map<std::uint64_t, std::size_t> targets;
    for (const Function& function : called) targets[function.address] = function.name;
    if (targets.empty()) return;
    const std::vector<Reference> calls = calls_of(image, text, targets);
    each_unwound(image, [&](std::uint64_t address, std::uint64_t size) {
        const auto at = std::ranges::lower_bound(calls, address, {}, &Reference::at);
        if (at == calls.end() || at->at - address >= size || size > kMaxFunction) return;
        const auto same = [&](const Candidate& one) { return one.address == address && one.has_file; };
        if (std::ranges::any_of(reporting, same) || !are_instructions(image, address, size, {at->at})) return;
        found.add(targets.at(at->to), address, size);
    });
}

}  // namespace

std::vector<Function> find_own_named(const Image& image, const OwnNames& wanted) {
    const Section* data = image.section(".rodata");
    const Section* text = image.section(".text");
    if (image.machine() != EM_X86_64 || !data || !text) return {};
    Strings strings;
    each_piece(image, *data, [&](std::string_view bytes, std::uint64_t address) {
        look_for_strings(bytes, address, wanted, strings);
    });
    for (std::size_t i = 0; i < wanted.names.size(); ++i)
        if (const auto number = number_of(wanted.names[i])) strings.names[kNumbers + *number] = i;
    if (strings.files.empty() || strings.names.empty()) return {};
    strings.note_bounds();
    std::vector<Reference> references;
    each_piece(image, *text, [&](std::string_view code, std::uint64_t address) {
        look_for_references(code, address, strings, references);
    });
    std::ranges::sort(references, {}, &Reference::at);
    const std::vector<Candidate> all = candidates(image, wanted, strings, references);
    Unique found;
    Unique called;
    for (const Candidate& one : all) {
        if (!one.has_file) continue;
        // What is called may have been taken into its caller, which then has both names.
        if (one.names.size() == 1)
            found.add(*one.names.begin(), one.address, one.size);
        else if (one.names.empty() && one.called.size() == 1)
            called.add(*one.called.begin(), one.address, one.size);
        else
            for (const std::size_t name : one.names) found.forbid(name);
    }
    add_callers(image, *text, called.all(), all, found);
    return found.all();
}

}  // namespace waggle::elf
