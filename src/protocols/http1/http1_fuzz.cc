// SPDX-License-Identifier: Apache-2.0
// Any bytes as heads, chunk sizes and as a whole connection, cut anywhere: parsers say the same of a head
// however much follows it, and never look beyond what they were given.
#include <cstdlib>
#include <string>
#include <vector>

#include "protocols/http/target.h"
#include "protocols/http1/describe.h"
#include "protocols/testing/host.h"
#include "protocols/testing/requests.h"

namespace {

using namespace waggle::protocols;
using namespace waggle::protocols::http1;

void require(bool is_true) {
    if (!is_true) std::abort();
}

// Of exactly these bytes, so that a sanitizer sees who reads on.
std::vector<char> exact(std::string_view bytes) { return {bytes.begin(), bytes.end()}; }

template <typename AnyHead, typename Parse>
void check_head(std::string_view text, bool is_final, Parse parse) {
    const std::vector<char> bytes = exact(text);
    AnyHead head;
    const auto size = parse({bytes.data(), bytes.size()}, is_final, head);
    if (!size) {
        require(!is_final || size.error() == Stop::Invalid);
        return;
    }
    require(*size > 0 && *size <= bytes.size() && head.text.size() == *size);
    if (head.is_cut) return;
    AnyHead alone;
    const auto again = parse(text.substr(0, *size), false, alone);
    require(again && *again == *size && alone.text == head.text && alone.length == head.length);
    for (const std::size_t cut : {*size / 2, *size - 1}) {
        const auto shorter = parse(text.substr(0, cut), false, alone);
        require(!shorter && shorter.error() == Stop::NeedMore);
    }
}

void check_request_facts(std::string_view text) {
    RequestHead head;
    if (!parse_request(text, true, head)) return;
    for (const Slice slice : {head.method, head.target, head.host, head.user_agent, head.traceparent, head.tracestate})
        require(std::size_t{slice.offset} + slice.size <= head.text.size());
    const http::Target target = http::parse_target(head.at(head.target), head.at(head.method));
    require(target.host.find('/') == std::string_view::npos || head.at(head.method) == "CONNECT");
    waggle::Arena arena;
    const std::string_view query = http::redact_query(target.query, {}, arena);
    require(query.find("password=x") == std::string_view::npos);
}

// The bytes as a talk: a zero byte changes the side, a one byte ends the call.
void play(std::string_view text, wg_role role) {
    testing::Host host({.options = {}, .threads_are_contexts = {}});
    testing::Socket& socket = host.add({.role = role});
    std::uint64_t now = 1'000'000'000;
    bool is_send = role == WG_ROLE_CLIENT;
    std::string call;
    const auto flush = [&] {
        if (!call.empty())
            host.report(socket, socket.moved(is_send ? WG_SEND : WG_RECEIVE, std::move(call), now += 1000));
        call.clear();
    };
    for (const char c : text) {
        if (c > 1) {
            call += c;
            continue;
        }
        flush();
        if (c == 0) is_send = !is_send;
    }
    flush();
    host.tick(now += 200'000'000);
    const Counts before = testing::sum(host.tracker().counts());
    require(before.seen == before.exported + host.tracker().open_exchanges());
    host.report_close(socket, now += 1000);
    host.tick(now += 5'000'000);
    host.tick(now += 5'000'000);
    const Counts counts = testing::sum(host.tracker().counts());
    const auto requests = testing::requests_in(host.batch());
    require(counts.seen == counts.exported && counts.exported == requests.size());
    for (const waggle::spans::Span* span : requests) require(span->end_ns >= span->start_ns);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    const bool is_final = data[0] & 1;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    check_head<RequestHead>(text, is_final, parse_request);
    check_head<ResponseHead>(text, is_final, parse_response);
    check_request_facts(text);
    std::size_t consumed = 0;
    if (parse_chunk_size(text, consumed)) require(consumed > 0 && consumed <= text.size());
    for (const Side side : {Side::Request, Side::Response}) sniff(text, side);
    play(text, data[0] & 2 ? WG_ROLE_CLIENT : data[0] & 4 ? WG_ROLE_UNKNOWN : WG_ROLE_SERVER);
    return 0;
}
