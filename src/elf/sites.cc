// SPDX-License-Identifier: Apache-2.0
#include "elf/sites.h"

#include <Zydis/Zydis.h>
#include <elf.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace waggle::elf {
namespace {

constexpr std::size_t kMaxCode = 1 << 16;
constexpr std::size_t kMaxPart = 512;  // instructions of what a function jumps out to
constexpr std::uint64_t kMaxPartBytes = 4096;
constexpr std::size_t kMaxPrologue = 16;    // instructions
constexpr std::int64_t kGoStackGuard = 16;  // in runtime.g, which r14 points to
using Arguments = std::array<ZydisRegister, 5>;
constexpr Arguments kSystemV = {ZYDIS_REGISTER_RDI, ZYDIS_REGISTER_RSI, ZYDIS_REGISTER_RDX, ZYDIS_REGISTER_RCX,
                                ZYDIS_REGISTER_R8};
constexpr Arguments kGo = {ZYDIS_REGISTER_RAX, ZYDIS_REGISTER_RBX, ZYDIS_REGISTER_RCX, ZYDIS_REGISTER_RDI,
                           ZYDIS_REGISTER_RSI};

struct Instruction {
    std::uint64_t address = 0;
    std::uint64_t target = 0;  // of a direct jump or call
    ZydisInstructionCategory category = ZYDIS_CATEGORY_INVALID;
    unsigned writes = 0;  // bit per argument register
    bool writes_result = false;
    bool is_direct = false;
    bool is_emulated = false;
    bool reads_thread_memory = false;  // as a stack protector does
    bool reads_go_stack_guard = false;
    bool jumps_by_field = false;  // through a pointer in memory, and not in a table
    // By how much it raises the stack pointer; nothing where that cannot be told.
    std::optional<std::int64_t> raises = 0;
    std::uint8_t length = 0;
};

using Code = std::map<std::uint64_t, Instruction>;

class Decoder {
  public:
    Decoder(const Arguments& arguments, bool takes_calls) : arguments_(arguments), takes_calls_(takes_calls) {
        ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    }

    std::optional<Instruction> decode(std::string_view bytes, std::uint64_t address) const {
        ZydisDecodedInstruction decoded;
        std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands{};
        if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder_, bytes.data(), bytes.size(), &decoded, operands.data())))
            return std::nullopt;
        Instruction result{.address = address, .category = decoded.meta.category, .length = decoded.length};
        for (std::size_t i = 0; i < decoded.operand_count; ++i) look_at(operands[i], decoded, result);
        result.raises = raises(decoded, operands.data());
        result.is_emulated = is_emulated(decoded, result);
        if (!takes_calls_ && result.category == ZYDIS_CATEGORY_CALL) result.is_emulated = false;
        return result;
    }

  private:
    void look_at(const ZydisDecodedOperand& operand, const ZydisDecodedInstruction& decoded,
                 Instruction& result) const {
        if (operand.type == ZYDIS_OPERAND_TYPE_IMMEDIATE && operand.imm.is_relative)
            result.is_direct =
                ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&decoded, &operand, result.address, &result.target));
        if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY && operand.mem.segment == ZYDIS_REGISTER_FS)
            result.reads_thread_memory = true;
        if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY && operand.actions & ZYDIS_OPERAND_ACTION_MASK_READ &&
            operand.mem.base == ZYDIS_REGISTER_R14 && operand.mem.disp.value == kGoStackGuard)
            result.reads_go_stack_guard = true;
        if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY && result.category == ZYDIS_CATEGORY_UNCOND_BR)
            result.jumps_by_field = operand.mem.index == ZYDIS_REGISTER_NONE;
        if (operand.type != ZYDIS_OPERAND_TYPE_REGISTER || !(operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)) return;
        const ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, operand.reg.value);
        if (whole == ZYDIS_REGISTER_RAX) result.writes_result = true;
        for (std::size_t i = 0; i < arguments_.size(); ++i)
            if (whole == arguments_[i]) result.writes |= 1u << i;
    }

    static std::optional<std::int64_t> raises(const ZydisDecodedInstruction& decoded,
                                              const ZydisDecodedOperand* operands) {
        bool writes_stack_pointer = false;
        for (std::size_t i = 0; i < decoded.operand_count; ++i)
            writes_stack_pointer |= operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
                                    operands[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE &&
                                    ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64,
                                                                     operands[i].reg.value) == ZYDIS_REGISTER_RSP;
        // A call comes back with the stack as it was.
        if (!writes_stack_pointer || decoded.meta.category == ZYDIS_CATEGORY_CALL) return 0;
        const bool is_wide = decoded.operand_width == 64;
        const bool is_explicit =
            operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER && operands[0].reg.value == ZYDIS_REGISTER_RSP;
        const bool has_constant = operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
        std::optional<std::int64_t> change;
        switch (decoded.mnemonic) {
            case ZYDIS_MNEMONIC_PUSH:
                if (is_wide) change = -8;
                break;
            case ZYDIS_MNEMONIC_POP:
                if (is_wide && !is_explicit) change = 8;
                break;
            case ZYDIS_MNEMONIC_ADD:
                if (is_explicit && has_constant) change = operands[1].imm.value.s;
                break;
            case ZYDIS_MNEMONIC_SUB:
                if (is_explicit && has_constant) change = -operands[1].imm.value.s;
                break;
            case ZYDIS_MNEMONIC_LEA:
                if (is_explicit && operands[1].mem.base == ZYDIS_REGISTER_RSP &&
                    operands[1].mem.index == ZYDIS_REGISTER_NONE)
                    change = operands[1].mem.disp.value;
                break;
            default:
                break;
        }
        return change;
    }

    // What arch/x86/kernel/uprobes.c emulates: push of a register, relative jumps and calls, the short nop.
    static bool is_emulated(const ZydisDecodedInstruction& decoded, const Instruction& instruction) {
        if (decoded.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE) return false;
        switch (decoded.meta.category) {
            case ZYDIS_CATEGORY_COND_BR:
                return instruction.is_direct && (decoded.opcode >> 4 == 0x7 || decoded.opcode >> 4 == 0x8);
            case ZYDIS_CATEGORY_UNCOND_BR:
            case ZYDIS_CATEGORY_CALL:
                return instruction.is_direct;
            default:
                return decoded.mnemonic == ZYDIS_MNEMONIC_PUSH && decoded.opcode >= 0x50 && decoded.opcode <= 0x57;
        }
    }

    const Arguments& arguments_;
    bool takes_calls_;
    ZydisDecoder decoder_{};
};

bool is_jump(const Instruction& instruction) {
    return instruction.category == ZYDIS_CATEGORY_COND_BR || instruction.category == ZYDIS_CATEGORY_UNCOND_BR;
}

bool ends_flow(const Instruction& instruction) {
    return instruction.category == ZYDIS_CATEGORY_RET || instruction.category == ZYDIS_CATEGORY_UNCOND_BR ||
           instruction.category == ZYDIS_CATEGORY_INTERRUPT;
}

// All of the function, one instruction after the other: compilers put no data between.
Result<Code> sweep(const Decoder& decoder, std::string_view bytes, std::uint64_t address) {
    Code code;
    for (std::size_t at = 0; at < bytes.size();) {
        const auto instruction = decoder.decode(bytes.substr(at), address + at);
        if (!instruction) return fail("code that is none");
        code[address + at] = *instruction;
        at += instruction->length;
    }
    return code;
}

// What the function jumps out to: its cold part, or a function that returns in its place.
Result<void> follow(const Decoder& decoder, const ReadCode& read, std::uint64_t begin, std::uint64_t end, Code& code) {
    std::vector<std::uint64_t> open;
    const auto add = [&](std::uint64_t target) {
        if ((target < begin || target >= end) && !code.contains(target)) open.push_back(target);
    };
    for (const auto& [at, instruction] : Code(code))
        if (is_jump(instruction) && instruction.is_direct) add(instruction.target);
    for (std::size_t count = 0; !open.empty();) {
        std::uint64_t at = open.back();
        open.pop_back();
        const auto bytes = read(at, kMaxPartBytes);
        if (!bytes) return fail("a jump to where no code is");
        for (const std::uint64_t from = at; !code.contains(at) && (at < begin || at >= end);) {
            const auto instruction = decoder.decode(std::string_view(*bytes).substr(at - from), at);
            if (!instruction || ++count > kMaxPart) return fail("a way out that is too long to follow");
            code[at] = *instruction;
            if (is_jump(*instruction) && instruction->is_direct) add(instruction->target);
            if (ends_flow(*instruction)) break;
            at += instruction->length;
        }
    }
    return ok();
}

Site choose_enter(const Code& code, Code::const_iterator from, Site fallback, unsigned arguments,
                  const std::set<std::uint64_t>& targets) {
    const unsigned wanted = (1u << arguments) - 1;
    std::int64_t depth = fallback.depth;
    for (auto at = from; at != code.end(); ++at) {
        const Instruction& instruction = at->second;
        // Where a loop comes back to, a call would be seen twice.
        if (targets.contains(at->first)) break;
        if (instruction.is_emulated && depth >= 0) return {at->first, static_cast<std::uint32_t>(depth)};
        if (instruction.writes & wanted || is_jump(instruction) || ends_flow(instruction) || !instruction.raises ||
            instruction.category == ZYDIS_CATEGORY_CALL)
            break;
        depth -= *instruction.raises;
    }
    return fallback;
}

// Behind the jump that leaves to have the stack made larger and comes back to the first byte.
Result<Site> choose_go_enter(const Code& code, std::uint64_t begin, unsigned arguments,
                             const std::set<std::uint64_t>& targets) {
    bool has_compared = false;
    std::size_t count = 0;
    for (auto at = code.find(begin); at != code.end() && count < kMaxPrologue; ++at, ++count) {
        const Instruction& instruction = at->second;
        if (has_compared && instruction.category == ZYDIS_CATEGORY_COND_BR)
            return choose_enter(code, std::next(at), {at->first, 0}, arguments, targets);
        has_compared |= instruction.reads_go_stack_guard;
        if (!instruction.raises || *instruction.raises != 0) break;
    }
    return fail("no look at the goroutine's stack at its begin");
}

// The stack protector's jump before the return, where the result is ready and nobody comes in behind it.
Site choose_leave(const Code& code, Code::const_iterator ret, const std::set<std::uint64_t>& targets) {
    const Site at_return = {ret->first, 0};
    std::int64_t depth = 0;
    for (auto at = ret; at != code.begin() && !targets.contains(at->first);) {
        const auto before = std::prev(at);
        const Instruction& instruction = before->second;
        if (before->first + instruction.length != at->first) break;
        if (instruction.category == ZYDIS_CATEGORY_COND_BR) {
            const bool is_guard = instruction.is_emulated && before != code.begin() &&
                                  std::prev(before)->second.reads_thread_memory && depth >= 0;
            return is_guard ? Site{before->first, static_cast<std::uint32_t>(depth)} : at_return;
        }
        if (instruction.writes_result || ends_flow(instruction) || !instruction.raises ||
            instruction.category == ZYDIS_CATEGORY_CALL)
            break;
        depth += *instruction.raises;
        at = before;
    }
    return at_return;
}

// A jump through a pointer that leaves the function, as far as it can be told from a switch: the frame has just been
// given back, or the pointer stands in no table.
bool leaves_by_pointer(const Code& code, Code::const_iterator at) {
    const Instruction& instruction = at->second;
    if (instruction.category != ZYDIS_CATEGORY_UNCOND_BR || instruction.is_direct) return false;
    if (instruction.jumps_by_field) return true;
    if (at == code.begin()) return false;
    const auto before = std::prev(at);
    return before->first + before->second.length == at->first && before->second.raises.value_or(1) > 0;
}

}  // namespace

Result<Sites> find_sites(std::string_view bytes, std::uint64_t address, const Wanted& wanted, const ReadCode& read) {
    if (bytes.empty() || bytes.size() > kMaxCode) return fail("a function of this size cannot be looked through");
    const bool is_go = wanted.convention == Convention::Go;
    const Decoder decoder(is_go ? kGo : kSystemV, !wanted.has_shadow_stack);
    Code code = TRY(sweep(decoder, bytes, address));
    if (wanted.ends)
        if (auto done = follow(decoder, read, address, address + bytes.size(), code); !done)
            return std::unexpected(done.error());
    std::set<std::uint64_t> targets;
    for (const auto& [at, instruction] : code)
        if (is_jump(instruction) && instruction.is_direct) targets.insert(instruction.target);
    const unsigned arguments = std::min<unsigned>(wanted.arguments, kSystemV.size());
    Sites sites;
    if (is_go)
        sites.enter = TRY(choose_go_enter(code, address, arguments, targets));
    else
        sites.enter = choose_enter(code, code.find(address), {address, 0}, arguments, targets);
    const bool is_call = code.at(sites.enter.address).category == ZYDIS_CATEGORY_CALL;
    if (is_call && wanted.has_shadow_stack) return fail("a call as its first instruction, with a shadow stack");
    if (!wanted.ends) return sites;
    std::set<Site> leave;
    for (auto at = code.begin(); at != code.end(); ++at) {
        if (leaves_by_pointer(code, at)) return fail("a way out through a pointer");
        if (at->second.category == ZYDIS_CATEGORY_RET)
            leave.insert(is_go ? Site{at->first, 0} : choose_leave(code, at, targets));
    }
    if (leave.empty()) return fail("a function that does not return");
    sites.leave.assign(leave.begin(), leave.end());
    return sites;
}

Result<Sites> find_sites(const Image& image, const Function& function, const Wanted& wanted) {
    if (image.machine() != EM_X86_64) return fail("code of a processor that is not known");
    const auto code = image.read_address(function.address, function.size);
    if (!code) return fail("its code cannot be read");
    const ReadCode read = [&](std::uint64_t address, std::uint64_t size) {
        // Close to the end of its segment there is less.
        for (; size >= 64; size /= 2)
            if (auto part = image.read_address(address, size)) return part;
        return std::optional<std::string>();
    };
    return find_sites(*code, function.address, wanted, read);
}

}  // namespace waggle::elf
