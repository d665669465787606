// SPDX-License-Identifier: Apache-2.0
// Any bytes after a true beginning of one of the framed protocols, cut anywhere and with holes: nothing crashes, what
// was seen is exported or open, and sniffers never look beyond what they were given.
#include <cstdlib>
#include <string>
#include <vector>

#include "protocols/testing/beginnings.h"
#include "protocols/testing/host.h"
#include "protocols/testing/requests.h"

namespace {

using namespace waggle::protocols;

void require(bool is_true) {
    if (!is_true) std::abort();
}

struct Sum {
    std::uint64_t seen = 0;
    std::uint64_t exported = 0;
    std::uint64_t unreported = 0;
};

Sum sum_of(const Tracker& tracker) {
    Sum sum;
    for (const Counts& counts : tracker.counts()) {
        sum.seen += counts.seen;
        sum.exported += counts.exported;
    }
    for (const std::uint64_t open : tracker.unreported()) sum.unreported += open;
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
    require(before.seen == before.exported + before.unreported);
    host.report_close(socket, now += 1000);
    host.tick(now += 5'000'000);
    host.tick(now += 5'000'000);
    const Sum after = sum_of(host.tracker());
    const auto requests = testing::requests_in(host.batch());
    require(after.seen == after.exported && after.exported == requests.size());
    for (const waggle::spans::Span* span : requests) require(span->end_ns >= span->start_ns);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 2) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
    const std::vector<char> exact(text.begin(), text.end());
    for (const Protocol* protocol : all())
        for (const Side side : {Side::Request, Side::Response}) protocol->sniff({exact.data(), exact.size()}, side);
    const std::string_view beginning = testing::kBeginnings[data[0] % std::size(testing::kBeginnings)];
    play(beginning, text, data[1] % 2 ? WG_ROLE_CLIENT : data[1] % 8 ? WG_ROLE_SERVER : WG_ROLE_UNKNOWN);
    return 0;
}
