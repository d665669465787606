// SPDX-License-Identifier: Apache-2.0
// Makes small programs for tests: read-only data, and functions of x86-64 code with what exceptions are unwound by, but
// no symbols.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "elf/image.h"
#include "elf/test_elf.h"

namespace waggle::elf {

inline constexpr std::uint64_t kStart = kBase + sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr);

// "lea TARGET(%rip),%rdx", with rdx as the other registers of that form.
inline std::string lea(std::uint64_t at, std::uint64_t target) {
    using namespace std::string_literals;
    return "\x48\x8d\x15"s + bytes_of(static_cast<std::uint32_t>(target - at - 7));
}
// "mov $TARGET,%edx"
inline std::string mov(std::uint64_t, std::uint64_t target) {
    return '\xba' + bytes_of(static_cast<std::uint32_t>(target));
}

// "call TARGET"
inline std::string call(std::uint64_t at, std::uint64_t target) {
    return '\xe8' + bytes_of(static_cast<std::uint32_t>(target - at - 5));
}

// A program: its read-only data, and functions as each refers to places of it.
class Program {
  public:
    explicit Program(std::string data) : data_(std::move(data)) {
        while (data_.size() % 16) data_ += '\0';
        code_at_ = kStart + data_.size();
    }
    std::uint64_t place_of(std::string_view text) const { return kStart + data_.find(text); }
    // `code` makes it for where it stands.
    std::uint64_t function_of(const std::function<std::string(std::uint64_t)>& code) {
        const std::uint64_t begin = code_at_ + code_.size();
        code_ += code(begin) + '\xc3';
        functions_.push_back({begin, code_at_ + code_.size() - begin});
        return begin;
    }
    std::uint64_t function(const std::vector<std::uint64_t>& targets, bool by_number = false) {
        return function_of([&](std::uint64_t at) {
            std::string code;
            for (const std::uint64_t target : targets) code += (by_number ? mov : lea)(at + code.size(), target);
            return code;
        });
    }
    // What a search finds in it.
    template <typename Search>
    auto look(Search search, std::uint8_t encoding = 0x1b) const {
        using namespace std::string_literals;
        std::string frames = bytes_of(std::uint32_t{20}) + bytes_of(std::uint32_t{0}) + "\1zR\0\1\x78\x10\1"s +
                             static_cast<char>(encoding);
        frames.resize(24, '\0');
        const std::uint64_t frames_at = code_at_ + code_.size();
        for (const auto& [begin, size] : functions_) {
            frames += bytes_of(std::uint32_t{16}) + bytes_of(static_cast<std::uint32_t>(frames.size() + 4));
            frames += bytes_of(static_cast<std::uint32_t>(begin - (frames_at + frames.size()))) +
                      bytes_of(static_cast<std::uint32_t>(size));
            frames.append(4, '\0');
        }
        const TemporaryFile file(make_elf({{.name = ".rodata", .bytes = data_, .address = kStart},
                                           {.name = ".text", .bytes = code_, .address = code_at_},
                                           {.name = ".eh_frame", .bytes = frames, .address = frames_at}}));
        const auto image = Image::open(file.path());
        EXPECT_TRUE(image);
        return search(*image);
    }

  private:
    std::string data_;
    std::string code_;
    std::uint64_t code_at_;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> functions_;
};

}  // namespace waggle::elf
