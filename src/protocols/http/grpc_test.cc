// SPDX-License-Identifier: Apache-2.0
#include "protocols/http/grpc.h"

#include <gtest/gtest.h>

#include "base/base64.h"

namespace waggle::protocols::http {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kMessage = "\0\0\0\0\2hi"sv;
constexpr std::string_view kTrailers = "\x80\0\0\0\x0fgrpc-status:9\r\n"sv;

std::optional<std::string> status_of(std::string_view first, std::uint64_t missing, std::string_view rest,
                                     bool is_text) {
    GrpcWebTrailers trailers;
    if (is_text) trailers.set_text();
    trailers.add(first);
    trailers.skip(missing);
    trailers.add(rest);
    const auto status = trailers.status();
    return status ? std::optional<std::string>(*status) : std::nullopt;
}

TEST(GrpcWebTrailers, AreFoundInBytesAndInText) {
    const std::string whole = std::string(kMessage) + std::string(kTrailers);
    EXPECT_EQ(status_of(whole, 0, "", false), "9");
    EXPECT_EQ(status_of(base64(whole), 0, "", true), "9");
    EXPECT_EQ(status_of(base64(kMessage), 0, base64(kTrailers), true), "9");
    EXPECT_EQ(status_of(base64(kMessage), 0, "", true), std::nullopt);
    EXPECT_EQ(status_of(whole, 0, "", true), std::nullopt);
}

TEST(GrpcWebTrailers, WhatIsMissingOfAMessageIsPassedOverButNotInText) {
    EXPECT_EQ(status_of("\0\0\0\0\3"sv, 3, kTrailers, false), "9");
    EXPECT_EQ(status_of("\0\0\0\0\3"sv, 4, kTrailers, false), std::nullopt);
    // Four digits may be three bytes, or fewer with padding.
    EXPECT_EQ(status_of(base64("\0\0\0\0\4x"sv), 4, base64(kTrailers), true), std::nullopt);
}

}  // namespace
}  // namespace waggle::protocols::http
