// SPDX-License-Identifier: Apache-2.0
// Selectors: the configuration's discovery entries, compiled. Says for a process whether it is
// traced and why, in words for `waggle explain`. Entries are ORed and the first match counts;
// selectors in one entry are ANDed; excludes always win, for children too.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/config.h"
#include "discover/process.h"

namespace waggle::discover {

enum class VerdictKind : std::uint8_t { Selected, Excluded, NotMatched };

struct Verdict {
    VerdictKind kind = VerdictKind::NotMatched;
    int entry = -1;      // Selected: index for Selectors::entry
    std::string reason;  // a sentence's end: "open port 8080 (discovery.services[0])"

    bool is_selected() const { return kind == VerdictKind::Selected; }
};

class Selectors {
  public:
    // Selects nothing.
    Selectors();
    Selectors(Selectors&&) noexcept;
    Selectors& operator=(Selectors&&) noexcept;
    ~Selectors();

    // own_pid is never selected. Fails for a regular expression that does not compile.
    static Result<Selectors> compile(const config::Config& config, std::uint32_t own_pid);

    Verdict match(const Process& process) const;
    // For a process that no entry matches: selected since the process it comes from is, by entry.
    Verdict follow(const Process& process, int entry, std::uint32_t from_pid) const;

    bool follows_children(int entry) const;
    // Name and namespace that the entry gives; entry is a Selected verdict's.
    const config::SelectorConfig& entry(int entry) const;
    std::string label(int entry) const;  // "discovery.services[0]"
    size_t size() const;

    // What must be known of a process beside its program.
    struct Needs {
        bool ports = false;
        bool unix_sockets = false;
    };
    Needs needs() const;
    // Why each entry does or does not match, one line per entry.
    std::vector<std::string> explain(const Process& process) const;

  private:
    struct Entry;
    Verdict excluded(const Process& process) const;

    std::vector<Entry> entries_;
    std::vector<Entry> excludes_;
    std::uint32_t own_pid_ = 0;
};

}  // namespace waggle::discover
