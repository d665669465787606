// SPDX-License-Identifier: Apache-2.0
// Diagnostics: what is wrong or doubtful in a configuration, and where. Collected, never printed
// here, so that the user sees all of them in one go.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace waggle::config {

struct Diagnostic {
    std::string where;  // "waggle.yaml:12", "environment BEYLA_OPEN_PORT", "flag --open-port"; may be empty
    std::string key;    // "ebpf.batch_timeout"; may be empty
    std::string message;
    std::string text() const;  // "where: key: message"
};

struct Problems {
    std::vector<Diagnostic> errors;
    std::vector<Diagnostic> warnings;
};

// One line each.
std::string join(std::span<const Diagnostic> diagnostics);

// The candidate closest to a misspelt word by edit distance; empty when none is close.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace waggle::config
