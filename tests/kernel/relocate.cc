// SPDX-License-Identifier: Apache-2.0
// relocate BTF OBJECT...: relocates BPF objects against a kernel's BTF without that kernel. An
// error for each relocation that finds nothing there and whose instruction may be reached: what
// stands behind a bpf_core_…_exists that is false is not. Programs whose hook the kernel lacks are
// passed over, as the agent does. libbpf relocates while it loads, so this needs the right to make
// maps; whether the programs load here does not matter.
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <array>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

constexpr std::int32_t kPoison = 0xbad2310;  // the helper that libbpf calls in place of what it could not relocate

std::vector<std::string> messages;

int keep_message(enum libbpf_print_level, const char* format, va_list arguments) {
    std::array<char, 2048> text{};
    std::vsnprintf(text.data(), text.size(), format, arguments);
    messages.emplace_back(text.data());
    return 0;
}

// Constants that registers and the stack's slots hold for certain.
using Known = std::map<int, std::int64_t>;
int stack_slot(std::int16_t offset) { return 100 - offset; }

class Program {
  public:
    explicit Program(std::span<const bpf_insn> code) : code_(code) { explore(); }

    bool is_reached(std::size_t at) const { return before_.contains(at); }
    std::size_t function_of(std::size_t at) const { return *std::prev(functions_.upper_bound(at)); }

  private:
    void explore() {
        arrive(0, {});
        while (!waiting_.empty()) {
            const std::size_t at = waiting_.front();
            waiting_.pop_front();
            step(at, before_.at(at));
        }
    }

    // What is not known on every way is not known.
    void arrive(std::size_t at, const Known& known) {
        if (at >= code_.size()) return;
        const auto found = before_.find(at);
        if (found == before_.end()) {
            before_.emplace(at, known);
            waiting_.push_back(at);
            return;
        }
        const std::size_t had = found->second.size();
        std::erase_if(found->second, [&](const auto& entry) {
            const auto other = known.find(entry.first);
            return other == known.end() || other->second != entry.second;
        });
        if (found->second.size() != had) waiting_.push_back(at);
    }

    static std::optional<std::int64_t> value(const Known& known, int place) {
        const auto found = known.find(place);
        return found == known.end() ? std::nullopt : std::optional(found->second);
    }

    static std::optional<bool> is_taken(std::uint8_t operation, bool is_wide, std::int64_t left, std::int64_t right) {
        if (!is_wide) {
            left = static_cast<std::int32_t>(left);
            right = static_cast<std::int32_t>(right);
        }
        const auto a = is_wide ? static_cast<std::uint64_t>(left) : static_cast<std::uint32_t>(left);
        const auto b = is_wide ? static_cast<std::uint64_t>(right) : static_cast<std::uint32_t>(right);
        switch (operation) {
            case BPF_JEQ:
                return a == b;
            case BPF_JNE:
                return a != b;
            case BPF_JGT:
                return a > b;
            case BPF_JGE:
                return a >= b;
            case BPF_JLT:
                return a < b;
            case BPF_JLE:
                return a <= b;
            case BPF_JSGT:
                return left > right;
            case BPF_JSGE:
                return left >= right;
            case BPF_JSLT:
                return left < right;
            case BPF_JSLE:
                return left <= right;
            case BPF_JSET:
                return (a & b) != 0;
            default:
                return std::nullopt;
        }
    }

    void jump(std::size_t at, const bpf_insn& insn, Known known) {
        const std::uint8_t operation = BPF_OP(insn.code);
        const bool is_wide = BPF_CLASS(insn.code) == BPF_JMP;
        if (operation == BPF_EXIT) return;
        if (operation == BPF_CALL) {
            if (insn.src_reg == BPF_PSEUDO_CALL) call(at + 1 + insn.imm);
            for (int i = 0; i <= 5; i++) known.erase(i);
            arrive(at + 1, known);
            return;
        }
        if (operation == BPF_JA) return arrive(at + 1 + (is_wide ? insn.off : insn.imm), known);
        const auto left = value(known, insn.dst_reg);
        const auto right =
            BPF_SRC(insn.code) == BPF_X ? value(known, insn.src_reg) : std::optional<std::int64_t>(insn.imm);
        std::optional<bool> taken;
        if (left && right) taken = is_taken(operation, is_wide, *left, *right);
        if (taken != false) arrive(at + 1 + insn.off, known);
        if (taken != true) arrive(at + 1, known);
    }

    // A function's arguments are not followed.
    void call(std::size_t target) {
        functions_.insert(target);
        arrive(target, {});
    }

    static void calculate(const bpf_insn& insn, Known& known) {
        const bool is_wide = BPF_CLASS(insn.code) == BPF_ALU64;
        const auto right =
            BPF_SRC(insn.code) == BPF_X ? value(known, insn.src_reg) : std::optional<std::int64_t>(insn.imm);
        const auto left = value(known, insn.dst_reg);
        std::optional<std::int64_t> result;
        switch (BPF_OP(insn.code)) {
            case BPF_MOV:
                result = right;
                break;
            case BPF_AND:
                if (left && right) result = *left & *right;
                break;
            case BPF_OR:
                if (left && right) result = *left | *right;
                break;
            case BPF_XOR:
                if (left && right) result = *left ^ *right;
                break;
            case BPF_ADD:
                if (left && right) result = *left + *right;
                break;
            default:
                break;
        }
        if (!result)
            known.erase(insn.dst_reg);
        else
            known[insn.dst_reg] = is_wide ? *result : static_cast<std::uint32_t>(*result);
    }

    void step(std::size_t at, Known known) {
        const bpf_insn& insn = code_[at];
        switch (BPF_CLASS(insn.code)) {
            case BPF_JMP:
            case BPF_JMP32:
                return jump(at, insn, known);
            case BPF_ALU:
            case BPF_ALU64:
                calculate(insn, known);
                break;
            case BPF_LD:  // ld_imm64: two instructions
                if (insn.src_reg == BPF_PSEUDO_FUNC) call(at + 1 + insn.imm);
                known.erase(insn.dst_reg);
                if (insn.src_reg == 0)
                    known[insn.dst_reg] = static_cast<std::int64_t>(
                        static_cast<std::uint32_t>(insn.imm) |
                        static_cast<std::uint64_t>(static_cast<std::uint32_t>(code_[at + 1].imm)) << 32);
                return arrive(at + 2, known);
            case BPF_LDX: {
                const auto spilled = insn.src_reg == BPF_REG_10 && BPF_SIZE(insn.code) == BPF_DW
                                         ? value(known, stack_slot(insn.off))
                                         : std::nullopt;
                known.erase(insn.dst_reg);
                if (spilled) known[insn.dst_reg] = *spilled;
                break;
            }
            default:  // BPF_ST, BPF_STX
                // Whatever is stored through another register may be anywhere on the stack.
                if (insn.dst_reg != BPF_REG_10) {
                    std::erase_if(known, [](const auto& entry) { return entry.first > BPF_REG_10; });
                    break;
                }
                for (int i = -7; i < 8; i++) known.erase(stack_slot(static_cast<std::int16_t>(insn.off + i)));
                if (insn.code == (BPF_STX | BPF_MEM | BPF_DW))
                    if (const auto stored = value(known, insn.src_reg)) known[stack_slot(insn.off)] = *stored;
        }
        arrive(at + 1, known);
    }

    std::span<const bpf_insn> code_;
    std::map<std::size_t, Known> before_;
    std::deque<std::size_t> waiting_;
    std::set<std::size_t> functions_{0};
};

bool has_hook(const btf* kernel, std::string_view section) {
    const std::size_t slash = section.find('/');
    if (slash == std::string_view::npos) return true;
    const std::string_view kind = section.substr(0, slash);
    const std::string name(section.substr(slash + 1));
    if (kind == "tp_btf") return btf__find_by_name_kind(kernel, ("btf_trace_" + name).c_str(), BTF_KIND_TYPEDEF) > 0;
    if (kind == "fexit" || kind == "fentry") return btf__find_by_name_kind(kernel, name.c_str(), BTF_KIND_FUNC) > 0;
    return true;
}

// {(function, instruction): what was looked for} of all that was not found, from what libbpf says.
std::map<std::pair<std::string, std::size_t>, std::string> unresolved() {
    static const std::regex looked(R"(prog '(\w+)': relo #(\d+): (<\w+> .*))");
    static const std::regex poisoned(R"(prog '(\w+)': relo #(\d+): substituting insn #(\d+) w/ invalid insn)");
    std::map<std::pair<std::string, std::string>, std::string> names;
    std::map<std::pair<std::string, std::size_t>, std::string> found;
    std::smatch match;
    for (const std::string& message : messages) {
        if (std::regex_search(message, match, poisoned))
            found[{match[1], std::stoul(match[3])}] = names[{match[1], match[2]}];
        else if (std::regex_search(message, match, looked))
            names.try_emplace({match[1], match[2]}, match[3]);
    }
    return found;
}

int check(const char* btf_path, const char* object_path, const btf* kernel) {
    messages.clear();
    DECLARE_LIBBPF_OPTS(bpf_object_open_opts, options, .btf_custom_path = btf_path);
    bpf_object* object = bpf_object__open_file(object_path, &options);
    if (!object) {
        std::printf("%s: cannot be opened\n", object_path);
        return 1;
    }
    std::vector<const bpf_program*> programs;
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object) {
        const bool is_here = has_hook(kernel, bpf_program__section_name(program));
        bpf_program__set_autoload(program, is_here);
        if (is_here) programs.push_back(program);
    }
    bpf_object__load(object);
    std::size_t relocated = 0;
    for (const std::string& message : messages) relocated += message.find(": relo #") != std::string::npos;
    int errors = 0;
    if (!programs.empty() && !relocated) {
        std::printf("%s: was not relocated: %s\n", object_path, messages.empty() ? "" : messages.back().c_str());
        errors++;
    }
    const auto names = unresolved();
    for (const bpf_program* each : programs) {
        const std::span<const bpf_insn> code(bpf_program__insns(each), bpf_program__insn_cnt(each));
        const Program reached(code);
        for (std::size_t at = 0; at < code.size(); at++) {
            if (code[at].code != (BPF_JMP | BPF_CALL) || code[at].imm != kPoison || !reached.is_reached(at)) continue;
            const std::size_t function = reached.function_of(at);
            std::string name;
            for (const auto& [place, text] : names)
                if (place.second == at - function && (function != 0 || place.first == bpf_program__name(each)))
                    name += " " + text;
            std::printf("%s: %s: instruction %zu: not in this kernel:%s\n", object_path, bpf_program__name(each), at,
                        name.c_str());
            errors++;
        }
    }
    std::printf("%s: %zu programs, %zu relocations, %zu not in this kernel, %d of them needed\n", object_path,
                programs.size(), relocated, names.size(), errors);
    bpf_object__close(object);
    return errors;
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 3) return 2;
    libbpf_set_print(keep_message);
    btf* kernel = btf__parse(arguments[1], nullptr);
    if (!kernel) {
        std::printf("%s: no BTF\n", arguments[1]);
        return 2;
    }
    int errors = 0;
    for (int i = 2; i < count; i++) errors += check(arguments[1], arguments[i], kernel);
    btf__free(kernel);
    return errors ? 1 : 0;
}
