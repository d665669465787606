// SPDX-License-Identifier: Apache-2.0
// Any records, as a damaged file or a hostile one would have them: nothing crashes, nothing grows without
// bound, and what was seen is exported or open.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

#include "protocols/testing/host.h"
#include "protocols/testing/requests.h"
#include "protocols/tracker.h"

namespace {

using namespace waggle::protocols;

void require(bool is_true) {
    if (!is_true) std::abort();
}

class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
    bool is_empty() const { return at_ >= size_; }
    std::uint8_t byte() { return at_ < size_ ? data_[at_++] : 0; }
    void fill(void* to, std::size_t size) {
        const std::size_t count = std::min(size, size_ - at_);
        std::memcpy(to, data_ + at_, count);
        at_ += count;
    }

  private:
    const std::uint8_t* data_;
    std::size_t size_;
    std::size_t at_ = 0;
};

template <typename Event>
std::string record(const Event& event) {
    return {reinterpret_cast<const char*>(&event), sizeof(event)};
}

// A socket's, or a plaintext's.
std::uint64_t some_connection(Input& input) {
    const std::uint8_t byte = input.byte();
    return byte % 4 | (byte & 4 ? WG_PLAIN_ID : 0);
}

// Fields are any; those that lead somewhere are made likely.
std::string data_record(Input& input) {
    wg_data_event event{};
    const bool is_wild = input.byte() < 16;
    if (is_wild) input.fill(&event, sizeof(event));
    event.connection = some_connection(input);
    event.direction = static_cast<wg_direction>(input.byte() % 2);
    event.flags = input.byte();
    if (!is_wild) {
        event.position = std::uint64_t{input.byte()} * 16;
        event.order = std::uint64_t{input.byte()} * 16;
        event.turn = input.byte();
        event.previous_end = std::uint64_t{input.byte()} * 64;
        input.fill(event.tail, 8);
        event.head.time_ns = 1'000'000'000 + std::uint64_t{input.byte()} * 100'000'000;
    }
    std::string text(input.byte(), '\0');
    input.fill(text.data(), text.size());
    if (text.size() >= 5 && input.byte() % 4 == 0) std::memcpy(text.data(), "\x17\x03\x03\0", 4);  // a TLS record
    if (!is_wild) {
        event.captured = static_cast<std::uint32_t>(text.size());
        event.size = event.captured + input.byte() / 64 * 4000;
    }
    event.head.type = WG_EVENT_DATA;
    event.head.version = WG_EVENT_VERSION;
    event.head.length = static_cast<std::uint32_t>(sizeof(event) + text.size());
    return record(event) + text;
}

// A question or an answer of one of few ids and names, or anything.
std::string datagram_record(Input& input) {
    wg_datagram_event event{};
    const unsigned shape = input.byte();
    event.socket = shape % 2;
    event.direction = static_cast<wg_direction>(shape >> 1 & 1);
    event.flags = shape >> 2 & 1;
    event.error = shape >> 3 == 0 ? -111 : 0;
    event.tuple.remote_port = event.tuple.remote_address[0] = shape >> 3 & 1;
    std::string text;
    if (!event.error) {
        text = {'\0',
                static_cast<char>(input.byte() % 2),
                static_cast<char>(shape & 16 ? 0x80 : 0),
                '\0',
                '\0',
                '\1',
                '\0',
                '\0',
                '\0',
                '\0',
                '\0',
                '\0'};
        text +=
            shape & 32 ? std::string{'\1', 'a', '\0', '\0', '\1', '\0', '\1'} : std::string(input.byte() % 32, '\2');
        if (shape & 64) input.fill(text.data(), text.size());
    }
    event.size = event.captured = static_cast<std::uint32_t>(text.size());
    event.head = {.type = WG_EVENT_DATAGRAM,
                  .version = WG_EVENT_VERSION,
                  .length = static_cast<std::uint32_t>(sizeof(event) + text.size()),
                  .time_ns = 1'000'000'000 + std::uint64_t{input.byte()} * 100'000'000};
    return record(event) + text;
}

std::string other_record(Input& input) {
    const unsigned what = input.byte() % 4;
    if (what == 3) return datagram_record(input);
    if (what == 2) {
        wg_plain_event event{};
        event.head = {.type = WG_EVENT_PLAIN, .version = WG_EVENT_VERSION, .length = sizeof(event), .time_ns = 1};
        event.connection = some_connection(input);
        event.beneath = some_connection(input);
        event.from_start = input.byte();
        return record(event);
    }
    if (what == 1) {
        wg_connection_event event{};
        input.fill(&event, sizeof(event));
        event.head = {.type = WG_EVENT_CONNECTION, .version = WG_EVENT_VERSION, .length = sizeof(event), .time_ns = 1};
        event.connection %= 4;
        return record(event);
    }
    wg_close_event event{};
    input.fill(&event, sizeof(event));
    event.head = {
        .type = WG_EVENT_CLOSE, .version = WG_EVENT_VERSION, .length = sizeof(event), .time_ns = event.head.time_ns};
    event.connection %= 4;
    return record(event);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Input input(data, size);
    Tracker tracker(
        {.options = {}, .max_connections = 3, .threads_are_contexts = [](std::uint32_t pid) { return pid % 2 == 0; }});
    waggle::spans::SpanBatch batch;
    std::uint64_t now = 1'000'000'000;
    std::uint64_t exported = 0;
    while (!input.is_empty()) {
        const unsigned what = input.byte() % 8;
        std::string bytes;
        if (what < 4) {
            bytes = data_record(input);
        } else if (what == 4) {
            bytes = other_record(input);
        } else if (what == 5) {
            bytes.resize(input.byte());
            input.fill(bytes.data(), bytes.size());
        } else if (what == 6) {
            wg_tail tail{};
            input.fill(&tail, sizeof(tail));
            tracker.on_tail({.connection = input.byte() % 5u, .direction = input.byte() % 3u, .padding = 0}, tail,
                            batch);
            continue;
        } else {
            tracker.on_tick(now += std::uint64_t{input.byte()} * 200'000'000, batch);
            exported += testing::requests_in(batch).size();
            batch.clear();
            tracker.rule_changes().clear();
            tracker.gone_rules().clear();
            tracker.set_shedding(now / 1'000'000'000 % 4 == 3);
            tracker.done_tails().clear();
            tracker.tls_seen().clear();
            continue;
        }
        tracker.on_event(std::as_bytes(std::span(bytes)), batch);
    }
    tracker.finish(now, batch);
    exported += testing::requests_in(batch).size();
    require(tracker.connections() == 0 && tracker.open_exchanges() == 0);
    const Counts counts = testing::sum(tracker.counts());
    require(counts.seen == counts.exported);
    require(counts.exported == exported);
    return 0;
}
