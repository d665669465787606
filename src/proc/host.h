// SPDX-License-Identifier: Apache-2.0
// The machine, as resource attributes name it.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>

namespace waggle::proc {

struct Host {
    std::string name;
    std::string id;    // machine-id; the host's name where there is none
    std::string arch;  // amd64, arm64, … as OpenTelemetry writes them
};

// What the kernel says of itself and of its host.
struct Kernel {
    std::string host_name;
    std::string release;          // 6.18.5-amd64
    std::string machine;          // x86_64
    std::pair<int, int> version;  // 6.18; 0.0: the release says none
};

Kernel read_kernel();

// root: a prefix of /etc and /var, for tests.
Host read_host(const std::string& root = "");

// Asks the resolver (hosts file, DNS) for a host's name with its domain, from the moment it is made.
class FullHostName {
  public:
    explicit FullHostName(std::string name);
    ~FullHostName();
    FullHostName(const FullHostName&) = delete;
    FullHostName& operator=(const FullHostName&) = delete;

    // The name as it was given where the resolver has no other, or not by then.
    std::string wait(std::chrono::steady_clock::time_point until);

  private:
    struct Lookup;
    std::unique_ptr<Lookup> lookup_;
};

}  // namespace waggle::proc
