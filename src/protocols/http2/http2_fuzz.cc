// SPDX-License-Identifier: Apache-2.0
// Any bytes as Huffman codes, header blocks, beginnings of connections, and as the frames of a whole one: nothing is
// read beyond what was given, nothing grows without bound, and what was seen is exported.
#include <cstdlib>
#include <string>
#include <vector>

#include "protocols/http2/frames.h"
#include "protocols/http2/hpack.h"
#include "protocols/http2/huffman.h"
#include "protocols/testing/frames.h"
#include "protocols/testing/host.h"
#include "protocols/testing/requests.h"

namespace {

using namespace waggle::protocols;
using namespace waggle::protocols::http2;

void require(bool is_true) {
    if (!is_true) std::abort();
}

void check_huffman(std::string_view text) {
    std::string out;
    std::size_t size = 0;
    const bool is_text = decode_huffman(text, 100, out, size);
    require(out.size() <= 100 && size <= 2 * text.size());
    if (is_text && size <= 100) require(encode_huffman(out) == text);
    require(decode_huffman(encode_huffman(text), text.size(), out, size) && out == text);
}

// Blocks, each with its length in front; of exactly their bytes, so that a sanitizer sees who reads on.
void check_blocks(std::string_view text, bool is_exact) {
    Decoder decoder;
    if (!is_exact) decoder.lose();
    while (!text.empty()) {
        const std::size_t size = std::min<std::size_t>(static_cast<unsigned char>(text[0]), text.size() - 1);
        const std::vector<char> block(text.begin() + 1, text.begin() + 1 + static_cast<std::ptrdiff_t>(size));
        text.remove_prefix(1 + size);
        Fields fields;
        const auto result = decoder.decode({block.data(), block.size()}, fields);
        require(result == Decoder::Result::Whole || (fields.has_nameless() && !decoder.is_exact()));
        require(decoder.entries() <= Decoder::kMaxTable / 32);
    }
}

// The bytes as frames: length, type, flags and stream are made likely.
std::string frames(std::string_view text) {
    std::string out;
    while (text.size() > 4) {
        const std::size_t size = std::min<std::size_t>(static_cast<unsigned char>(text[0]), text.size() - 4);
        const auto type = static_cast<std::uint8_t>(text[1] & 15);
        const std::uint32_t stream = type == kSettings || type == kPing || type == kGoAway ? 0 : text[3] & 15;
        out += testing::frame(type, static_cast<std::uint8_t>(text[2]), stream, text.substr(4, size));
        text.remove_prefix(4 + size);
    }
    return out;
}

// What begins a call before the bytes do.
enum class Call : std::uint8_t { None, Asked, Answered };

std::string grpc_head(bool is_request) {
    std::vector<testing::Header> fields = {{":status", "200"}};
    if (is_request)
        fields = {{":method", "POST"}, {":scheme", "http"}, {":path", "/shop.Shop/Buy"}, {"grpc-timeout", "1S"}};
    fields.emplace_back("content-type", "application/grpc");
    return testing::headers_frames(1, false, testing::HeaderEncoder().encode(fields, {.is_static = true}));
}

void play(std::string_view text, wg_role role, bool is_attached, Call call) {
    testing::Host host({.options = {}, .threads_are_contexts = {}});
    testing::Socket& socket = host.add({.role = role, .is_attached = is_attached});
    const wg_direction requests = role == WG_ROLE_CLIENT ? WG_SEND : WG_RECEIVE;
    std::uint64_t now = 1'000'000'000;
    const auto say = [&](bool is_request, std::string bytes, bool is_lost) {
        const wg_direction direction = is_request ? requests : static_cast<wg_direction>(1 - requests);
        testing::Move move = socket.moved(direction, std::move(bytes), now += 1000);
        move.is_lost = is_lost;
        if (!move.bytes.empty()) host.report(socket, move);
    };
    if (!is_attached) say(true, std::string(kPreface) + testing::frame(kSettings, 0, 0, {}), false);
    if (!is_attached) say(false, testing::frame(kSettings, 0, 0, {}), false);
    if (call != Call::None) say(true, grpc_head(true), false);
    if (call == Call::Answered) say(false, grpc_head(false), false);
    host.tick(now += 5'000'000);
    while (text.size() > 2) {
        const std::size_t size = std::min<std::size_t>(static_cast<unsigned char>(text[0]), text.size() - 2);
        const auto how = static_cast<unsigned char>(text[1]);
        std::string bytes = how & 4 ? frames(text.substr(2, size)) : std::string(text.substr(2, size));
        if (how & 8) bytes.resize(bytes.size() / 2);
        say(how & 1, std::move(bytes), (how & 0x30) == 0x30);
        if (how & 2) host.tick(now += how & 0x40 ? 1'500'000'000 : 5'000'000);
        text.remove_prefix(2 + size);
    }
    host.tick(now += 200'000'000);
    const Counts before = testing::sum(host.tracker().counts());
    require(before.seen == before.exported + host.tracker().open_exchanges());
    host.report_close(socket, now += 1000);
    host.tick(now += 5'000'000);
    host.tick(now += 5'000'000);
    const Counts counts = testing::sum(host.tracker().counts());
    const auto told = testing::requests_in(host.batch());
    require(counts.seen == counts.exported && counts.exported == told.size());
    for (const waggle::spans::Span* span : told) require(span->end_ns >= span->start_ns);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    check_huffman(text);
    check_blocks(text, data[0] & 1);
    for (const Side side : {Side::Request, Side::Response}) sniff(text, side);
    for (const bool is_whole : {false, true}) find_frames(text, is_whole);
    play(text,
         data[0] & 2   ? WG_ROLE_CLIENT
         : data[0] & 4 ? WG_ROLE_UNKNOWN
                       : WG_ROLE_SERVER,
         data[0] & 8,
         data[0] & 32   ? Call::Answered
         : data[0] & 16 ? Call::Asked
                        : Call::None);
    return 0;
}
