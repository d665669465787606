// SPDX-License-Identifier: Apache-2.0
#include "elf/boringssl.h"

#include <Zydis/Zydis.h>
#include <elf.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <optional>
#include <set>

#include "elf/references.h"
#include "elf/unwind_table.h"

namespace waggle::elf {
namespace {

// Reasons, as <openssl/err.h> and <openssl/ssl.h> number them. They are part of the interface and stay.
constexpr std::uint32_t kShouldNotHaveBeenCalled = 66;
constexpr std::uint32_t kBadLength = 111;
constexpr std::uint32_t kNullContext = 185;
constexpr std::uint32_t kProtocolIsShutdown = 194;
constexpr std::uint32_t kHandshakeFailure = 215;
constexpr std::uint32_t kUninitialized = 226;

constexpr std::int64_t kWord = 8;
using Fields = std::set<std::int64_t>;

// What a function does.
struct Body {
    std::uint64_t address = 0;
    std::uint64_t size = 0;
    std::set<std::uint32_t> numbers;  // that it makes a call's third argument, as reasons are
    std::set<std::uint64_t> calls;
    // Words in memory, by how far they are from what some register points to; not those on the stack.
    Fields reads;
    Fields writes;

    bool has(std::uint32_t number) const { return numbers.contains(number); }
    bool calls_to(const Body& other) const { return calls.contains(other.address); }
};

void note_fields(const ZydisDecodedOperand& operand, Body& body) {
    const auto& memory = operand.mem;
    if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY || memory.type != ZYDIS_MEMOP_TYPE_MEM ||
        memory.base == ZYDIS_REGISTER_NONE || memory.base == ZYDIS_REGISTER_RSP || memory.base == ZYDIS_REGISTER_RIP ||
        memory.index != ZYDIS_REGISTER_NONE || memory.disp.value <= 0)
        return;
    for (std::int64_t at = 0; at + kWord <= operand.size / 8; at += kWord) {
        if (operand.actions & ZYDIS_OPERAND_ACTION_MASK_READ) body.reads.insert(memory.disp.value + at);
        if (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) body.writes.insert(memory.disp.value + at);
    }
}

void note(const ZydisDecodedInstruction& instruction, std::span<const ZydisDecodedOperand> operands, std::uint64_t at,
          Body& body) {
    for (const ZydisDecodedOperand& operand : operands) note_fields(operand, body);
    std::uint64_t target = 0;
    if (instruction.mnemonic == ZYDIS_MNEMONIC_CALL && operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
        ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&instruction, &operands[0], at, &target)))
        body.calls.insert(target);
    if (instruction.mnemonic == ZYDIS_MNEMONIC_MOV && operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
        operands[0].reg.value == ZYDIS_REGISTER_EDX && operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
        body.numbers.insert(static_cast<std::uint32_t>(operands[1].imm.value.u));
}

// Nothing where it cannot be read from its begin on, or one of these is no instruction of it.
std::optional<Body> read_body(const Image& image, std::uint64_t address, std::uint64_t size,
                              std::span<const Reference> own) {
    const auto code = size <= kMaxFunction ? image.read_address(address, size) : std::nullopt;
    if (!code) return std::nullopt;
    ZydisDecoder decoder;
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    Body body{.address = address, .size = size, .numbers = {}, .calls = {}, .reads = {}, .writes = {}};
    std::size_t seen = 0;
    for (std::size_t at = 0; at < code->size();) {
        ZydisDecodedInstruction instruction;
        std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands{};
        if (!ZYAN_SUCCESS(
                ZydisDecoderDecodeFull(&decoder, code->data() + at, code->size() - at, &instruction, operands.data())))
            return std::nullopt;
        note(instruction, {operands.data(), instruction.operand_count_visible}, address + at, body);
        seen += std::ranges::binary_search(own, address + at, {}, &Reference::at);
        at += instruction.length;
    }
    return seen == own.size() ? std::optional(std::move(body)) : std::nullopt;
}

// The functions that have any of these instructions.
std::vector<Body> functions_with(const Image& image, const std::vector<Reference>& references) {
    std::vector<Body> found;
    each_unwound(image, [&](std::uint64_t address, std::uint64_t size) {
        const auto begin = std::ranges::lower_bound(references, address, {}, &Reference::at);
        const auto end = std::ranges::lower_bound(begin, references.end(), size, {},
                                                  [&](const Reference& one) { return one.at - address; });
        if (begin == end) return;
        if (auto body = read_body(image, address, size, {begin, end})) found.push_back(std::move(*body));
    });
    return found;
}

template <typename Is>
const Body* the_one(const std::vector<Body>& all, Is is) {
    const auto at = std::ranges::find_if(all, is);
    return at == all.end() || std::ranges::any_of(std::next(at), all.end(), is) ? nullptr : &*at;
}

// What both kinds of receiving look at: where the plaintext is, and in the next word, how much of it.
Fields shown_by(const std::vector<Body>& receiving) {
    Fields shown = receiving.front().reads;
    for (const Body& body : receiving)
        std::erase_if(shown, [&](std::int64_t field) { return !body.reads.contains(field); });
    std::erase_if(shown, [&](std::int64_t field) { return !receiving.front().reads.contains(field + kWord); });
    return shown;
}

bool takes(const Body& body, const Fields& shown) {
    return std::ranges::any_of(
        shown, [&](std::int64_t field) { return body.writes.contains(field) && body.writes.contains(field + kWord); });
}

// SSL_read and SSL_peek both call `waiting`, unless one calls the other: then that one reports nothing itself.
std::optional<Body> find_read(const Image& image, const Section& text, const std::vector<Body>& reporting,
                              const Body& waiting) {
    std::vector<Body> receiving;
    std::ranges::copy_if(reporting, std::back_inserter(receiving), [&](const Body& body) {
        return body.has(kShouldNotHaveBeenCalled) && !body.has(kUninitialized) && body.calls_to(waiting);
    });
    if (receiving.empty()) return std::nullopt;
    const Fields shown = shown_by(receiving);
    std::set<std::uint64_t> addresses;
    for (const Body& body : receiving) addresses.insert(body.address);
    std::vector<Body> all = functions_with(image, calls_of(image, text, addresses));
    std::erase_if(all, [&](const Body& body) { return addresses.contains(body.address); });
    all.insert(all.end(), receiving.begin(), receiving.end());
    const Body* read = the_one(all, [&](const Body& body) { return takes(body, shown); });
    return read ? std::optional(*read) : std::nullopt;
}

void add(const Body* body, std::string_view name, std::span<const std::string_view> names,
         std::vector<Function>& found) {
    const auto at = std::ranges::find(names, name);
    if (body && at != names.end())
        found.push_back(
            {.name = static_cast<std::size_t>(at - names.begin()), .address = body->address, .size = body->size});
}

}  // namespace

Result<std::vector<Function>> find_in_boringssl(const Image& image, std::string_view file,
                                                std::span<const std::string_view> names) {
    std::vector<Function> found;
    const Section* data = image.section(".rodata");
    const Section* text = image.section(".text");
    if (image.machine() != EM_X86_64 || !data || !text) return found;
    std::set<std::uint64_t> paths;
    each_piece(image, *data,
               [&](std::string_view bytes, std::uint64_t address) { add_paths(bytes, address, file, paths); });
    const std::vector<Body> reporting = functions_with(image, references_to(image, *text, paths));
    if (reporting.empty()) return found;
    // Both complete the handshake first. SSL_write minds the length, in older versions whether it is shut down.
    const auto may_wait = [](const Body& body) { return body.has(kUninitialized) && body.has(kHandshakeFailure); };
    const auto minds_more = [](const Body& body) { return body.has(kBadLength) || body.has(kProtocolIsShutdown); };
    const Body* write = the_one(reporting, [&](const Body& body) {
        return may_wait(body) && minds_more(body) && body.has(kShouldNotHaveBeenCalled);
    });
    // ssl_read_impl, which SSL_shutdown calls as well.
    const Body* waiting = the_one(reporting, [&](const Body& body) {
        return may_wait(body) && !minds_more(body) && !body.has(kShouldNotHaveBeenCalled);
    });
    if (!write) return fail("of its functions without symbols none, or more than one, can be SSL_write");
    const auto read = waiting ? find_read(image, *text, reporting, *waiting) : std::nullopt;
    if (!read) return fail("of its functions without symbols none, or more than one, can be SSL_read");
    add(&*read, "SSL_read", names, found);
    add(write, "SSL_write", names, found);
    add(the_one(reporting, [](const Body& body) { return body.has(kNullContext); }), "SSL_new", names, found);
    return found;
}

}  // namespace waggle::elf
