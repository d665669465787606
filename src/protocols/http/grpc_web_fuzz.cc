// SPDX-License-Identifier: Apache-2.0
// Any bytes as a gRPC-Web body: it says the same in one piece and in many, as bytes and as base64; a status stands in
// what was read; and what is missing within one message changes nothing.
#include <cstdlib>
#include <string>
#include <vector>

#include "base/base64.h"
#include "protocols/http/grpc.h"

namespace {

using namespace waggle;
using protocols::http::GrpcWebTrailers;

using Status = std::optional<std::string>;

void require(bool is_true) {
    if (!is_true) std::abort();
}

Status status_of(const GrpcWebTrailers& trailers) {
    const auto status = trailers.status();
    return status ? Status(*status) : std::nullopt;
}

std::vector<std::string_view> pieces_of(std::string_view cuts, std::string_view body) {
    std::vector<std::string_view> pieces;
    for (std::size_t i = 0; !body.empty(); ++i) {
        const std::size_t size = cuts.empty() ? 1 : 1 + static_cast<unsigned char>(cuts[i % cuts.size()]) % 32;
        pieces.push_back(body.substr(0, size));
        body.remove_prefix(pieces.back().size());
    }
    return pieces;
}

template <typename Encode>
Status read(const std::vector<std::string_view>& pieces, bool is_text, Encode encode) {
    GrpcWebTrailers trailers;
    if (is_text) trailers.set_text();
    for (const std::string_view piece : pieces) trailers.add(encode(piece));
    return status_of(trailers);
}

// A message of as many bytes as are missing, in front of the body.
Status read_behind_hole(std::string_view body, unsigned char missing) {
    GrpcWebTrailers trailers;
    trailers.add(std::string("\0\0\0\0", 4) + static_cast<char>(missing));
    trailers.skip(missing);
    trailers.add(body);
    return status_of(trailers);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 2) return 0;
    std::string_view body(reinterpret_cast<const char*>(data) + 2, size - 2);
    const std::string_view cuts = body.substr(0, data[0] % 8);
    body.remove_prefix(cuts.size());
    const auto plain = [](std::string_view piece) { return std::string(piece); };
    const std::vector<std::string_view> pieces = pieces_of(cuts, body);
    const Status status = read({body}, false, plain);
    require(read(pieces, false, plain) == status);
    require(read(pieces, true, [](std::string_view piece) { return base64(piece); }) == status);
    const std::string text = base64(body);
    require(read(pieces_of(cuts, text), true, plain) == status);
    require(read_behind_hole(body, data[1]) == status);
    if (status) require(body.find(*status) != std::string_view::npos);
    // Hostile text: it is read, and its decoder gives no more than it was given.
    read(pieces, true, plain);
    std::string decoded;
    Base64Decoder().add(body, decoded);
    require(decoded.size() <= body.size() * 3 / 4);
    return 0;
}
