// SPDX-License-Identifier: Apache-2.0
// HostFacts: what of this kernel and host decides how much the agent can do. For doctor.
#pragma once

#include <string>

namespace waggle::agent {

struct HostFacts {
    std::string release;
    std::string machine;
    bool has_btf = false;
    std::string lockdown;  // none, integrity or confidentiality; empty: not known
    std::string cgroups;   // v1, v2, hybrid or none
    std::string user;      // "waggle (998)"
};

HostFacts read_host_facts();

// The word in brackets: "none [integrity] confidentiality".
std::string chosen_word(std::string_view line);

}  // namespace waggle::agent
