// SPDX-License-Identifier: Apache-2.0
#include "discover/target.h"

#include <bit>

#include "discover/process.h"

namespace waggle::discover {
namespace {

size_t slot_of(std::uint32_t pid, size_t slots) { return (pid * 0x9E3779B1u) & (slots - 1); }

}  // namespace

TargetTable::TargetTable(std::vector<std::shared_ptr<const Target>> targets)
    : targets_(std::move(targets)), slots_(std::bit_ceil(targets_.size() * 2 + 2), 0) {
    for (size_t i = 0; i < targets_.size(); ++i) {
        size_t slot = slot_of(targets_[i]->pid, slots_.size());
        while (slots_[slot] != 0) slot = (slot + 1) & (slots_.size() - 1);
        slots_[slot] = static_cast<std::uint32_t>(i + 1);
    }
}

template <typename Wanted>
const Target* TargetTable::first(std::uint32_t pid, Wanted is_wanted) const {
    if (targets_.empty()) return nullptr;
    for (size_t slot = slot_of(pid, slots_.size()); slots_[slot] != 0; slot = (slot + 1) & (slots_.size() - 1)) {
        const Target& target = *targets_[slots_[slot] - 1];
        if (target.pid == pid && is_wanted(target)) return &target;
    }
    return nullptr;
}

const Target* TargetTable::find(std::uint32_t pid) const {
    return first(pid, [](const Target&) { return true; });
}

const Target* TargetTable::find(std::uint32_t pid, std::uint64_t start_ns) const {
    return first(pid, [&](const Target& target) { return is_same_start(target.start_ns, start_ns); });
}

}  // namespace waggle::discover
