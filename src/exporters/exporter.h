// SPDX-License-Identifier: Apache-2.0
// Exporter: encode and send once. Queues, batches, retries and accounting belong to Delivery, which
// calls it from its own thread. To add one: one file here and one row in all.cc.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "metrics/snapshot.h"
#include "spans/span.h"

namespace waggle::exporters {

struct Outcome {
    enum class Kind : std::uint8_t {
        Accepted,   // rejected of them were not (partial success)
        Retry,      // may work later; after says when, if the other side did
        Permanent,  // will never work
    };
    Kind kind = Kind::Accepted;
    std::uint64_t rejected = 0;
    std::optional<std::chrono::milliseconds> after;
    std::string message;

    static Outcome accepted() { return {}; }
    static Outcome partly(std::uint64_t rejected, std::string message) {
        return {Kind::Accepted, rejected, std::nullopt, std::move(message)};
    }
    static Outcome retry(std::string message, std::optional<std::chrono::milliseconds> after = std::nullopt) {
        return {Kind::Retry, 0, after, std::move(message)};
    }
    static Outcome permanent(std::string message) { return {Kind::Permanent, 0, std::nullopt, std::move(message)}; }
};

class Exporter {
  public:
    virtual ~Exporter() = default;
    // Log field and metric label.
    virtual std::string_view name() const = 0;
    // A signal that an exporter does not carry is accepted and forgotten.
    virtual Outcome spans(const spans::SpanBatch&) { return Outcome::accepted(); }
    virtual Outcome metrics(const metrics::Snapshot&) { return Outcome::accepted(); }
    // Makes a call that waits return early, and later calls fail at once. From any thread.
    virtual void cancel() {}
};

}  // namespace waggle::exporters
