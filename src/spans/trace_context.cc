// SPDX-License-Identifier: Apache-2.0
#include "spans/trace_context.h"

#include <bit>
#include <cstring>

namespace waggle::spans {
namespace {

constexpr int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;  // W3C: lower case only
    return -1;
}

bool read_hex(std::string_view text, std::uint8_t* out, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
        const int high = hex_digit(text[2 * i]);
        const int low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        out[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    return true;
}

std::uint64_t split_mix(std::uint64_t& state) {
    std::uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

}  // namespace

std::optional<TraceContext> parse_traceparent(std::string_view text) {
    constexpr std::size_t kLength = 55;
    if (text.size() < kLength || text[2] != '-' || text[35] != '-' || text[52] != '-') return {};
    std::uint8_t version = 0;
    TraceContext context;
    if (!read_hex(text, &version, 1) || version == 0xff) return {};
    // Version 00 has exactly this length; a later one may go on after another dash.
    if (text.size() > kLength && (version == 0 || text[kLength] != '-')) return {};
    if (!read_hex(text.substr(3), context.trace_id.bytes.data(), 16) ||
        !read_hex(text.substr(36), context.span_id.bytes.data(), 8) || !read_hex(text.substr(53), &context.flags, 1))
        return {};
    if (!context.trace_id.is_valid() || !context.span_id.is_valid()) return {};
    return context;
}

void write_hex(const std::uint8_t* bytes, std::size_t size, char* out) {
    constexpr char kDigits[] = "0123456789abcdef";
    for (std::size_t i = 0; i < size; ++i) {
        out[2 * i] = kDigits[bytes[i] >> 4];
        out[2 * i + 1] = kDigits[bytes[i] & 15];
    }
}

IdSource::IdSource(std::uint64_t seed) : state_{split_mix(seed), split_mix(seed)} {}

// xoroshiro128+
std::uint64_t IdSource::next() {
    const std::uint64_t a = state_[0];
    std::uint64_t b = state_[1];
    const std::uint64_t result = a + b;
    b ^= a;
    state_[0] = std::rotl(a, 24) ^ b ^ (b << 16);
    state_[1] = std::rotl(b, 37);
    return result;
}

TraceId IdSource::trace_id() {
    TraceId id;
    do {
        const std::uint64_t words[2] = {next(), next()};
        std::memcpy(id.bytes.data(), words, 16);
    } while (!id.is_valid());
    return id;
}

SpanId IdSource::span_id() {
    SpanId id;
    do {
        const std::uint64_t word = next();
        std::memcpy(id.bytes.data(), &word, 8);
    } while (!id.is_valid());
    return id;
}

}  // namespace waggle::spans
