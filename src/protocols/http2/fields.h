// SPDX-License-Identifier: Apache-2.0
// Fields: what is kept of a header block. A field that was sent in a form nobody can decode any more is
// unknown, which is not the same as absent.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace waggle::protocols::http2 {

// The fields that are of interest; the first five are pseudo-header fields.
enum class Name : std::uint8_t {
    Method,
    Path,
    Scheme,
    Authority,
    Status,
    Host,
    ContentType,
    ContentLength,
    UserAgent,
    Traceparent,
    Tracestate,
    GrpcStatus,
    GrpcTimeout,
    ContentEncoding,
    ElasticProduct,
    kCount,
    Other = kCount,
    Unknown,  // its name is in a table entry that nobody saw
};

inline constexpr std::size_t kNames = static_cast<std::size_t>(Name::kCount);
inline constexpr std::array<std::string_view, kNames> kNameTexts = {
    ":method",    ":path",        ":scheme",        ":authority",       ":status",
    "host",       "content-type", "content-length", "user-agent",       "traceparent",
    "tracestate", "grpc-status",  "grpc-timeout",   "content-encoding", "x-elastic-product"};

constexpr Name name_of(std::string_view text) {
    for (std::size_t i = 0; i < kNames; ++i)
        if (kNameTexts[i] == text) return static_cast<Name>(i);
    return Name::Other;
}

class Fields {
  public:
    static constexpr std::size_t kMaxValue = 4096;  // kept of a value

    void clear() {
        text_.clear();
        known_ = 0;
        has_nameless_ = false;
    }

    // Of several fields of one name the first counts.
    void add(Name name, std::string_view value) {
        if (name == Name::Unknown) has_nameless_ = true;
        if (name >= Name::kCount || known_ & bit(name)) return;
        known_ |= bit(name);
        value = value.substr(0, kMaxValue);
        slices_[static_cast<std::size_t>(name)] = {static_cast<std::uint32_t>(text_.size()),
                                                   static_cast<std::uint32_t>(value.size())};
        text_.append(value);
    }
    // Any field may have stood in what is missing.
    void add_missing() { has_nameless_ = true; }

    bool has(Name name) const { return known_ & bit(name); }
    // It may have been there, nobody knows.
    bool may_have(Name name) const { return !has(name) && has_nameless_; }
    std::string_view text(Name name) const {
        if (!has(name)) return {};
        const Slice slice = slices_[static_cast<std::size_t>(name)];
        return std::string_view(text_).substr(slice.offset, slice.size);
    }
    bool has_nameless() const { return has_nameless_; }
    // A request's or response's first block, as far as can be told: trailers have no pseudo-header fields.
    bool is_request() const { return known_ & (kPseudo & ~bit(Name::Status)); }
    bool is_response() const { return has(Name::Status); }

  private:
    static constexpr std::uint32_t bit(Name name) { return 1u << static_cast<unsigned>(name); }
    static constexpr std::uint32_t kPseudo = 31;

    struct Slice {
        std::uint32_t offset = 0;
        std::uint32_t size = 0;
    };

    std::string text_;
    std::array<Slice, kNames> slices_{};
    std::uint32_t known_ = 0;
    bool has_nameless_ = false;  // some field came by an index that leads to nothing that was seen
};

}  // namespace waggle::protocols::http2
