// SPDX-License-Identifier: Apache-2.0
// The machine, as resource attributes name it.
#pragma once

#include <chrono>
#include <string>

namespace waggle::proc {

struct Host {
    std::string name;
    std::string id;    // machine-id; the host's name where there is none
    std::string arch;  // amd64, arm64, … as OpenTelemetry writes them
};

// root: a prefix of /etc and /var, for tests.
Host read_host(const std::string& root = "");

// The name with its domain, as the resolver (hosts file, DNS) has it; `name` itself where it has none, or not in time.
std::string full_host_name(const std::string& name, std::chrono::milliseconds wait);

}  // namespace waggle::proc
