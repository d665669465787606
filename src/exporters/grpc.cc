// SPDX-License-Identifier: Apache-2.0
#include "exporters/grpc.h"

#include <algorithm>
#include <protozero/pbf_reader.hpp>

#include "base/base64.h"
#include "base/strings.h"
#include "http/gzip.h"
#include "spans/grpc_codes.h"

namespace waggle::exporters {
namespace {

constexpr std::size_t kPrefix = 5;
constexpr std::size_t kMaxMessage = 4u << 20;
constexpr std::size_t kMaxText = 1024;

std::string percent_decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size() && out.size() < kMaxText; ++i) {
        if (text[i] == '%' && i + 2 < text.size())
            if (const auto byte = parse_int<std::uint8_t>(text.substr(i + 1, 2), 16)) {
                out += static_cast<char>(*byte);
                i += 2;
                continue;
            }
        out += text[i];
    }
    return out;
}

constexpr std::uint32_t varint(std::uint32_t tag) {
    return protozero::tag_and_type(tag, protozero::pbf_wire_type::varint);
}
constexpr std::uint32_t bytes(std::uint32_t tag) {
    return protozero::tag_and_type(tag, protozero::pbf_wire_type::length_delimited);
}

// google.protobuf.Duration
std::chrono::milliseconds read_duration(protozero::pbf_reader reader) {
    constexpr std::int64_t kDay = 24 * 3600;
    std::int64_t seconds = 0;
    std::int64_t nanos = 0;
    while (reader.next()) {
        if (reader.tag_and_type() == varint(1))
            seconds = reader.get_int64();
        else if (reader.tag_and_type() == varint(2))
            nanos = reader.get_int32();
        else
            reader.skip();
    }
    return std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, kDay)) +
           std::chrono::milliseconds(std::clamp<std::int64_t>(nanos / 1'000'000, 0, 999));
}

// google.protobuf.Any with google.rpc.RetryInfo.
std::optional<std::chrono::milliseconds> read_retry_info(protozero::pbf_reader any) {
    std::string type;
    protozero::data_view value;
    while (any.next()) {
        if (any.tag_and_type() == bytes(1))
            type = any.get_string();
        else if (any.tag_and_type() == bytes(2))
            value = any.get_view();
        else
            any.skip();
    }
    if (!type.ends_with("google.rpc.RetryInfo")) return std::nullopt;
    protozero::pbf_reader info(value);
    if (!info.next(1, protozero::pbf_wire_type::length_delimited)) return std::nullopt;
    return read_duration(info.get_message());
}

// google.rpc.Status, base64 in grpc-status-details-bin.
std::optional<std::chrono::milliseconds> read_details(std::string_view text) {
    std::string data;
    Base64Decoder().add(text, data);
    try {  // protozero throws on damaged input
        protozero::pbf_reader status(data);
        while (status.next(3, protozero::pbf_wire_type::length_delimited))
            if (const auto delay = read_retry_info(status.get_message())) return delay;
    } catch (const protozero::exception&) {
    }
    return std::nullopt;
}

}  // namespace

std::string grpc_frame(std::string_view message, bool is_compressed) {
    std::string frame;
    frame.reserve(kPrefix + message.size());
    frame += static_cast<char>(is_compressed);
    for (int shift = 24; shift >= 0; shift -= 8) frame += static_cast<char>(message.size() >> shift & 0xff);
    frame += message;
    return frame;
}

std::optional<std::string> grpc_message(std::string_view body) {
    if (body.size() < kPrefix) return std::nullopt;
    std::size_t size = 0;
    for (std::size_t i = 1; i < kPrefix; ++i) size = size << 8 | static_cast<std::uint8_t>(body[i]);
    if (size > body.size() - kPrefix) return std::nullopt;
    const std::string_view message = body.substr(kPrefix, size);
    if (body[0] == 0) return std::string(message);
    auto inflated = http::gunzip(message, kMaxMessage);
    if (!inflated) return std::nullopt;
    return std::move(*inflated);
}

GrpcStatus grpc_status(const http::ClientResponse& response) {
    const bool is_in_trailers = !http::find_header(response.trailers, "grpc-status").empty();
    const http::Headers& from = is_in_trailers ? response.trailers : response.headers;
    const std::string_view text = http::find_header(from, "grpc-status");
    const auto code = parse_int<int>(text);
    // A server that stops may end a stream within its answer, which libcurl takes for its end. Whoever speaks no gRPC
    // at all will not do so next time.
    if (text.empty() && response.status == 200 &&
        http::find_header(response.headers, "content-type").starts_with("application/grpc"))
        return {.code = spans::kGrpcUnavailable, .message = "the answer ended before its gRPC status"};
    if (!code)
        return {.code = static_cast<int>(spans::grpc_code_of_status(response.status)),
                .message = "no gRPC status, HTTP status " + std::to_string(response.status)};
    GrpcStatus status{.code = *code, .message = percent_decoded(http::find_header(from, "grpc-message"))};
    if (status.code != 0) status.retry_delay = read_details(http::find_header(from, "grpc-status-details-bin"));
    return status;
}

bool grpc_may_retry(const GrpcStatus& status) {
    switch (status.code) {
        case spans::kGrpcCancelled:
        case spans::kGrpcDeadlineExceeded:
        case spans::kGrpcAborted:
        case spans::kGrpcOutOfRange:
        case spans::kGrpcUnavailable:
        case spans::kGrpcDataLoss:
            return true;
        case spans::kGrpcResourceExhausted:  // only where the server says that it will recover
            return status.retry_delay.has_value();
        default:
            return false;
    }
}

}  // namespace waggle::exporters
