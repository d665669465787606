// SPDX-License-Identifier: Apache-2.0
#include "agent/tls_expected.h"

#include <algorithm>

namespace waggle::agent {
namespace {

// Where it is mapped to is another place in each process.
auto same_file(const proc::MappedCode& library) {
    return [&library](const proc::MappedCode& other) {
        return other.inode == library.inode && other.path == library.path;
    };
}

}  // namespace

proc::MappedCodes TlsExpected::of(const proc::FileId& program) const {
    const auto found = by_program_.find(program);
    return found == by_program_.end() ? proc::MappedCodes() : found->second;
}

void TlsExpected::learn(const proc::FileId& program, const proc::MappedCode& library) {
    if (by_program_.size() >= kMaxPrograms && !by_program_.contains(program)) by_program_.clear();
    proc::MappedCodes& libraries = by_program_[program];
    if (libraries.size() < kMaxOfProgram && std::ranges::none_of(libraries, same_file(library)))
        libraries.push_back({.range = {}, .path = library.path, .inode = library.inode});
}

void TlsExpected::forget(const proc::FileId& program, const proc::MappedCode& library) {
    const auto found = by_program_.find(program);
    if (found == by_program_.end()) return;
    std::erase_if(found->second, same_file(library));
    if (found->second.empty()) by_program_.erase(found);
}

}  // namespace waggle::agent
