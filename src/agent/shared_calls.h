// SPDX-License-Identifier: Apache-2.0
// SharedCalls: the calls of this host as several readers see them, so that both ends find each other
// although their rings differ. Parts by key, each with its lock: readers seldom meet.
#pragma once

#include <array>
#include <mutex>
#include <vector>

#include "protocols/calls.h"

namespace waggle::agent {

class SharedCalls final : public protocols::Calls {
  public:
    std::optional<protocols::Caller> serve(const protocols::CallKey& call, const protocols::ServerTrace& trace,
                                           std::uint64_t now_ns) override;
    std::optional<protocols::Caller> take(const protocols::CallKey& call, const protocols::ServerTrace& trace) override;
    std::optional<spans::TraceId> add(const protocols::CallKey& call, const protocols::Caller& caller,
                                      std::uint64_t now_ns) override;
    void rename(const spans::TraceId& trace, const protocols::Caller& caller, std::uint64_t now_ns) override;
    std::optional<protocols::Caller> renamed(const spans::TraceId& trace) override;
    void expire(std::uint64_t now_ns) override;
    void connect(const protocols::CallKey& connection) override;
    void disconnect(const protocols::CallKey& connection) override;
    std::size_t enter() override;
    std::uint64_t drained(std::size_t reader, std::uint64_t until_ns) override;

  private:
    static constexpr std::size_t kParts = 16;
    struct alignas(64) Part {
        std::mutex mutex;
        protocols::HeldCalls calls{protocols::HeldCalls::kMaxHeld / kParts};
    };
    Part& part_of(const protocols::CallKey& call) { return parts_[protocols::mix(call.a ^ call.b) % kParts]; }
    Part& part_of(const spans::TraceId& trace) { return parts_[trace.bytes[0] % kParts]; }

    std::array<Part, kParts> parts_;
    std::mutex peers_mutex_;  // may be taken while a part's is held
    protocols::Peers peers_;
    std::mutex drained_mutex_;
    std::vector<std::uint64_t> drained_;  // by reader
};

}  // namespace waggle::agent
