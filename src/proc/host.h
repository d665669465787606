// SPDX-License-Identifier: Apache-2.0
// The machine, as resource attributes name it.
#pragma once

#include <string>

namespace waggle::proc {

struct Host {
    std::string name;
    std::string id;    // machine-id; the host's name where there is none
    std::string arch;  // amd64, arm64, … as OpenTelemetry writes them
};

// root: a prefix of /etc and /var, for tests.
Host read_host(const std::string& root = "");

}  // namespace waggle::proc
