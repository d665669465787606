// SPDX-License-Identifier: Apache-2.0
#include "elf/own_names.h"

#include <Zydis/Zydis.h>
#include <elf.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <ranges>
#include <set>
#include <string>

#include "elf/references.h"
#include "elf/unwind_table.h"

namespace waggle::elf {
namespace {

// What stands at an address of read-only data.
struct Strings {
    std::map<std::uint64_t, std::size_t> names;  // which of them; of those that are numbers, from kNumbers on
    std::set<std::uint64_t> files;
    std::set<std::uint64_t> all() const {
        std::set<std::uint64_t> places = files;
        for (const auto& [at, name] : names) places.insert(at);
        return places;
    }
};

bool is_caller(std::string_view name) { return name.starts_with('>'); }
std::string_view own_part(std::string_view name) { return name.substr(is_caller(name) ? 1 : 0); }
std::optional<std::uint32_t> number_of(std::string_view name) {
    const std::string_view text = own_part(name);
    std::uint32_t value = 0;
    const bool is_number =
        text.starts_with('#') && std::from_chars(text.data() + 1, text.data() + text.size(), value).ec == std::errc();
    return is_number ? std::optional(value) : std::nullopt;
}

void look_for_strings(std::string_view bytes, std::uint64_t address, const OwnNames& wanted, Strings& strings) {
    add_paths(bytes, address, wanted.file, strings.files);
    for (std::size_t i = 0; i < wanted.names.size(); ++i)
        if (!number_of(wanted.names[i]))
            each_occurrence(bytes, std::string(own_part(wanted.names[i])) + '\0',
                            [&](std::size_t at) { strings.names[address + at] = i; });
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

// The one caller of each of these functions that reports no errors itself.
void add_callers(const Image& image, const Section& text, const std::vector<Function>& called,
                 const std::vector<Candidate>& reporting, Unique& found) {
    std::map<std::uint64_t, std::size_t> targets;
    for (const Function& function : called) targets[function.address] = function.name;
    if (targets.empty()) return;
    const auto addresses = std::views::keys(targets);
    const std::vector<Reference> calls = calls_of(image, text, {addresses.begin(), addresses.end()});
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
    const std::vector<Reference> references = references_to(image, *text, strings.all());
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
