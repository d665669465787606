// SPDX-License-Identifier: Apache-2.0
// Trace identity as W3C Trace Context has it (https://www.w3.org/TR/trace-context/).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace waggle::spans {

struct TraceId {
    std::array<std::uint8_t, 16> bytes{};
    bool is_valid() const { return *this != TraceId{}; }
    friend bool operator==(const TraceId&, const TraceId&) = default;
};

struct SpanId {
    std::array<std::uint8_t, 8> bytes{};
    bool is_valid() const { return *this != SpanId{}; }
    friend bool operator==(const SpanId&, const SpanId&) = default;
};

inline constexpr std::uint8_t kSampled = 0x01;

// What a traceparent header says (tracestate is kept beside it as text).
struct TraceContext {
    TraceId trace_id;
    SpanId span_id;
    std::uint8_t flags = kSampled;
};

// Parses "00-<32 hex>-<16 hex>-<2 hex>" (and later versions, by their common prefix). Nothing when
// malformed or all zero.
std::optional<TraceContext> parse_traceparent(std::string_view text);

// Lower-case hex; out must hold 2 * size bytes.
void write_hex(const std::uint8_t* bytes, std::size_t size, char* out);

// Small, fast random source for ids (not for secrets): seeded by the caller, one per thread.
class IdSource {
  public:
    explicit IdSource(std::uint64_t seed);
    TraceId trace_id();
    SpanId span_id();

  private:
    std::uint64_t next();
    std::uint64_t state_[2];
};

}  // namespace waggle::spans
