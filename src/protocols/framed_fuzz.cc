// SPDX-License-Identifier: Apache-2.0
// Any bytes after a true beginning of PostgreSQL, MySQL, Redis, Memcached or Kafka, cut anywhere and with holes: nothing
// crashes, what was seen is exported or open, and sniffers never look beyond what they were given.
#include <cstdlib>
#include <string>
#include <vector>

#include "protocols/testing/socket.h"

namespace {

using namespace waggle::protocols;
using namespace std::string_view_literals;

void require(bool is_true) {
    if (!is_true) std::abort();
}

constexpr std::string_view kBeginnings[] = {
    "\0\0\0\x0d\0\x03\0\0user\0"sv,
    "\0\0\0\x08\x04\xd2\x16\x2f"sv,
    "Q\0\0\0\x0dSELECT 1\0"sv,
    "P\0\0\0\x11s\0SELECT 1\0\0\0B\0\0\0\x0d\0s\0\0\0\0\0\0\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04"sv,
    "\x09\0\0\0\x03SELECT 1"sv,
    "\x09\0\0\0\x16SELECT ?"sv,
    "\x0a\0\0\0\x17\x01\0\0\0\0\x01\0\0\0"sv,
    "\x2b\0\0\x01\x0d\xa2\x0a\0\0\0\0\x40\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    "bob\0\x01"
    "ashop\0"sv,
    "*1\r\n$4\r\nPING\r\n"sv,
    "*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n"sv,
    "get a\r\n"sv,
    "mg a v q\r\nmn\r\n"sv,
    "\x80\x00\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0a"sv,
    // ApiVersions; Metadata 12; Fetch 4 and 16; Produce 3 up to where its records begin; OffsetCommit
    "\0\0\0\x0d\0\x12\0\0\0\0\0\1\0\x03lib"sv,
    "\0\0\0\x12\0\x03\0\x0c\0\0\0\1\0\x03lib\0\0\1\0\0"sv,
    "\0\0\0\x39\0\1\0\4\0\0\0\1\0\3lib\xff\xff\xff\xff\0\0\1\xf4\0\0\0\1\0\x10\0\0\0\0\0\0\1\0\1t\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\5\0\x10\0\0"sv,
    "\0\0\0\x27\0\1\0\x10\0\0\0\1\0\3lib\0\0\0\1\xf4\0\0\0\1\0\x10\0\0\0\0\0\0\0\0\0\0\0\1\1\1\0"sv,
    "\0\0\1\0\0\0\0\3\0\0\0\1\0\3lib\xff\xff\xff\xff\0\0\x75\x30\0\0\0\1\0\1t\0\0\0\1\0\0\0\0\0\0\0\xd0"sv,
    "\0\0\0\x1b\0\x08\0\2\0\0\0\1\0\3lib\0\1g\0\0\0\1\0\1m\0\0\0\0"sv,
};

struct Sum {
    std::uint64_t seen = 0;
    std::uint64_t exported = 0;
};

Sum sum_of(const Tracker& tracker) {
    Sum sum;
    for (const Counts& counts : tracker.counts()) {
        sum.seen += counts.seen;
        sum.exported += counts.exported;
    }
    return sum;
}

// 0xfe changes the side, 0xfd ends the call, 0xfc is a second, 0xfb a hole, 0xfa loses the call.
void play(std::string_view beginning, std::string_view text, wg_role role) {
    testing::Host host({.options = {}, .threads_are_contexts = {}});
    testing::Socket& socket = host.add({.role = role});
    std::uint64_t now = 1'000'000'000;
    bool is_send = role == WG_ROLE_CLIENT;
    std::string call(beginning);
    const auto flush = [&](bool is_hole, bool is_lost) {
        if (call.empty()) return;
        testing::Move move = socket.moved(is_send ? WG_SEND : WG_RECEIVE, std::move(call), now += 1000);
        move.is_unreadable = is_hole;
        move.is_lost = is_lost;
        host.report(socket, move);
        call.clear();
    };
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0xfa || byte == 0xff) {
            call += c;
            continue;
        }
        flush(byte == 0xfb, byte == 0xfa);
        if (byte == 0xfe) is_send = !is_send;
        if (byte == 0xfc) host.tick(now += 600'000'000);
        if (byte == 0xfb) call.assign(5000, 'x'), flush(true, false);
    }
    flush(false, false);
    host.tick(now += 200'000'000);
    const Sum before = sum_of(host.tracker());
    require(before.seen == before.exported + host.tracker().open_exchanges());
    host.report_close(socket, now += 1000);
    host.tick(now += 5'000'000);
    host.tick(now += 5'000'000);
    const Sum after = sum_of(host.tracker());
    require(after.seen == after.exported && after.exported == host.batch().size());
    for (const waggle::spans::Span& span : host.batch()) require(span.end_ns >= span.start_ns);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 2) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
    const std::vector<char> exact(text.begin(), text.end());
    for (const Protocol* protocol : all())
        for (const Side side : {Side::Request, Side::Response}) protocol->sniff({exact.data(), exact.size()}, side);
    const std::string_view beginning = kBeginnings[data[0] % std::size(kBeginnings)];
    play(beginning, text, data[1] % 2 ? WG_ROLE_CLIENT : data[1] % 8 ? WG_ROLE_SERVER : WG_ROLE_UNKNOWN);
    return 0;
}
