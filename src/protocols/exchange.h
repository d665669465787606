// SPDX-License-Identifier: Apache-2.0
// Exchange: one request with its response while it is open; and the queue of them on one connection, for
// sessions that pair in order.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocols/protocol.h"

namespace waggle::protocols {

enum class Reply : std::uint8_t { Interim, Final, Switch };  // Switch: another protocol follows
// What a client says whose request was answered while its body waited for leave. Unsure: either.
enum class Continuation : std::uint8_t { Body, Request, Unsure, NeedMore };

// What is known of an exchange in any protocol.
struct ExchangeState {
    std::uint64_t request_position = 0;
    std::uint64_t request_order = 0;  // how far the response direction had been written (server)
    std::uint64_t response_position = 0;
    std::uint64_t start_ns = 0;
    std::uint64_t request_end_ns = 0;
    std::uint64_t first_byte_ns = 0;
    std::uint64_t end_ns = 0;
    std::uint64_t thread = 0;
    std::uint32_t queue_us = 0;  // how long the request had waited to be read, 0: unknown
    std::uint64_t request_body = 0;
    std::uint64_t response_body = 0;
    bool is_request_done = false;
    bool is_request_body_known = false;
    bool is_response_body_known = false;
    bool has_response = false;
    bool is_reported = false;  // exported at its age limit; still waits for its response
    bool is_held = false;      // what follows tells whether it is a call
    spans::Incomplete incomplete = spans::Incomplete::No;
    spans::ProcessKey process;
    TraceIds ids;
    std::optional<spans::TraceContext> header;
};

// An exchange that begins in one protocol and is answered in another.
struct Handover {
    const Protocol* to = nullptr;
    Direction requests = Direction::Send;
    ExchangeState exchange;
    std::string request;  // its head, as it was written
};

template <typename Codec>
struct Exchange : ExchangeState {
    typename Codec::Request request;
    typename Codec::Response response;
    std::size_t text_bytes = 0;  // of the request, as last weighed: stays with its memory

    // As new, with its memory; request and response are for their parser to overwrite.
    void renew() {
        auto links = std::move(ids.links);
        links.clear();
        static_cast<ExchangeState&>(*this) = {};
        ids.links = std::move(links);
    }
};

// A ring that recycles: it never shrinks below what was needed once, and an exchange keeps its buffers.
template <typename Codec>
class OpenExchanges {
  public:
    std::size_t size() const { return count_; }
    Exchange<Codec>& front() { return ring_[first_]; }
    const Exchange<Codec>& front() const { return ring_[first_]; }
    Exchange<Codec>& at(std::size_t index) { return ring_[(first_ + index) % ring_.size()]; }
    const Exchange<Codec>& at(std::size_t index) const { return ring_[(first_ + index) % ring_.size()]; }

    Exchange<Codec>& push() {
        if (count_ == ring_.size()) {
            std::rotate(ring_.begin(), ring_.begin() + static_cast<std::ptrdiff_t>(first_), ring_.end());
            first_ = 0;
            ring_.emplace_back();
        }
        Exchange<Codec>& fresh = ring_[(first_ + count_++) % ring_.size()];
        fresh.renew();
        return fresh;
    }

    void pop() {
        assert(count_ > 0);
        first_ = (first_ + 1) % ring_.size();
        --count_;
    }

  private:
    std::vector<Exchange<Codec>> ring_;
    std::size_t first_ = 0;
    std::size_t count_ = 0;
};

}  // namespace waggle::protocols
