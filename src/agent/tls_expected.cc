// SPDX-License-Identifier: Apache-2.0
#include "agent/tls_expected.h"

#include <algorithm>

namespace waggle::agent {
namespace {

// Where it is mapped to is another place in each process.
auto is_file(const proc::MappedCode& library) {
    return
        [&library](const auto& other) { return other.file.inode == library.inode && other.file.path == library.path; };
}

}  // namespace

proc::MappedCodes TlsExpected::of(const proc::FileId& program) const {
    proc::MappedCodes files;
    if (const auto found = by_program_.find(program); found != by_program_.end())
        for (const Library& library : found->second) files.push_back(library.file);
    return files;
}

void TlsExpected::learn(const proc::FileId& program, const proc::MappedCode& library) {
    if (by_program_.size() >= kMaxPrograms && !by_program_.contains(program)) by_program_.clear();
    std::vector<Library>& libraries = by_program_[program];
    if (const auto known = std::ranges::find_if(libraries, is_file(library)); known != libraries.end())
        known->misses = 0;
    else if (libraries.size() < kMaxOfProgram)
        libraries.push_back({.file = {.range = {}, .path = library.path, .inode = library.inode}});
}

void TlsExpected::miss(const proc::FileId& program, const proc::MappedCode& library) {
    const auto found = by_program_.find(program);
    if (found == by_program_.end()) return;
    std::vector<Library>& libraries = found->second;
    const auto known = std::ranges::find_if(libraries, is_file(library));
    if (known == libraries.end() || ++known->misses < kMaxMisses) return;
    libraries.erase(known);
    if (libraries.empty()) by_program_.erase(found);
}

}  // namespace waggle::agent
