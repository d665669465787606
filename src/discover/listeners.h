// SPDX-License-Identifier: Apache-2.0
// Listeners: which process listens where. Reads the socket tables once per network namespace and
// scan, and a process's descriptors only when its namespace got new listening sockets.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "discover/process.h"
#include "proc/listening.h"
#include "proc/procfs.h"

namespace waggle::discover {

class Listeners {
  public:
    explicit Listeners(const proc::ProcFs& procfs) : procfs_(procfs) {}

    // Forgets what it knows: all namespaces have new listening sockets in the next scan.
    void reset(bool with_unix) {
        with_unix_ = with_unix;
        namespaces_.clear();
    }
    // with_tcp false: TCP tables of namespaces that are known stay as they were (their events tell).
    void begin_scan(bool with_tcp);
    // Forgets namespaces that no process was asked about since begin_scan.
    void end_scan();
    // Has the process's network namespace listening sockets that the scan before did not have?
    bool has_new(const Process& process);
    // By descriptor order, without repeats. Reads the descriptors.
    std::vector<Listen> of(const Process& process);

  private:
    struct Namespace {
        proc::ListeningSockets sockets;
        bool is_fresh = false;
        bool has_new = false;
    };
    static constexpr size_t kMaxNamespaces = 16384;

    Namespace& refresh(const Process& process);

    const proc::ProcFs& procfs_;
    bool with_unix_ = true;
    bool with_tcp_ = true;
    std::map<std::uint64_t, Namespace> namespaces_;
    Namespace overflow_;
};

}  // namespace waggle::discover
