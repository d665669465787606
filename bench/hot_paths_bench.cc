// SPDX-License-Identifier: Apache-2.0
// Bytes and requests a second, and allocations a request, of what every request goes through: the HTTP/1
// parser, the tracker with its streams, the metric update.
#include <benchmark/benchmark.h>

#include <cstring>
#include <string>

#include "allocations.h"
#include "bpf/abi/events.h"
#include "metrics/registry.h"
#include "metrics/test_spans.h"
#include "otlp/encode.h"
#include "protocols/http1/message.h"
#include "protocols/tracker.h"

namespace {

using namespace waggle;

const std::string kRequest =
    "GET /api/items/42?page=3 HTTP/1.1\r\nHost: shop.example:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux)\r\n"
    "Accept: text/html,application/json\r\nAccept-Encoding: gzip, br\r\nCookie: session=0123456789abcdef\r\n"
    "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n";
const std::string kResponse =
    "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: text/plain\r\n"
    "Content-Length: 5\r\nConnection: keep-alive\r\n\r\nhello";

void report(benchmark::State& state, std::size_t bytes, std::uint64_t allocated) {
    state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * state.iterations());
    state.SetItemsProcessed(state.iterations());
    state.counters["allocations_per_request"] =
        static_cast<double>(allocated) / static_cast<double>(state.iterations());
}

void parse_heads(benchmark::State& state) {
    protocols::http1::RequestHead request;
    protocols::http1::ResponseHead response;
    (void)parse_request(kRequest, false, request);
    (void)parse_response(kResponse, false, response);
    const std::uint64_t before = bench::allocations();
    for (auto _ : state) {
        benchmark::DoNotOptimize(parse_request(kRequest, false, request));
        benchmark::DoNotOptimize(parse_response(kResponse, false, response));
    }
    report(state, kRequest.size() + kResponse.size(), bench::allocations() - before);
}
BENCHMARK(parse_heads);

// The events of a kept-alive connection at a server, as the ring gives them.
class Connection {
  public:
    explicit Connection(protocols::Tracker& tracker) : tracker_(tracker) {
        wg_connection_event event{};
        event.head = {WG_EVENT_CONNECTION, WG_EVENT_VERSION, sizeof(event), time_};
        event.connection = 1;
        event.pid = 100;
        event.role = WG_ROLE_SERVER;
        event.kind = WG_TCP;
        event.from_start = 3;
        tracker_.on_event(std::as_bytes(std::span(&event, 1)), batch_);
    }

    void exchange() {
        move(WG_RECEIVE, kRequest);
        move(WG_SEND, kResponse);
    }
    spans::SpanBatch& batch() { return batch_; }
    std::uint64_t now() const { return time_; }

  private:
    void move(wg_direction direction, const std::string& bytes) {
        record_.resize(sizeof(wg_data_event) + bytes.size());
        wg_data_event event{};
        time_ += 10'000;
        event.head = {WG_EVENT_DATA, WG_EVENT_VERSION, static_cast<std::uint32_t>(record_.size()), time_};
        event.connection = 1;
        event.position = next_[direction];
        if (direction == WG_RECEIVE) event.order = next_[WG_SEND];
        event.size = event.captured = static_cast<std::uint32_t>(bytes.size());
        event.turn = ++turns_[direction];
        event.pid = 100;
        event.direction = direction;
        event.flags = WG_DATA_TURN_START;
        next_[direction] += bytes.size();
        std::memcpy(record_.data(), &event, sizeof(event));
        std::memcpy(record_.data() + sizeof(event), bytes.data(), bytes.size());
        tracker_.on_event(std::as_bytes(std::span(record_)), batch_);
    }

    protocols::Tracker& tracker_;
    spans::SpanBatch batch_;
    std::string record_;
    std::uint64_t time_ = 1'000'000'000;
    std::uint64_t next_[2] = {1u << 20, 1u << 20};
    std::uint32_t turns_[2] = {};
};

void track_exchanges(benchmark::State& state) {
    protocols::TrackerConfig config;
    config.options.wants_traces = state.range(0) != 0;
    protocols::Tracker tracker(config);
    Connection connection(tracker);
    std::uint64_t allocated = 0;
    std::uint64_t before = 0;
    int in_batch = 0;
    const auto turn = [&] {
        connection.exchange();
        if (++in_batch < 512) return;
        in_batch = 0;
        tracker.on_tick(connection.now(), connection.batch());
        connection.batch().clear();
    };
    for (int i = 0; i < 4096; ++i) turn();
    before = bench::allocations();
    for (auto _ : state) turn();
    allocated = bench::allocations() - before;
    report(state, kRequest.size() + kResponse.size(), allocated);
}
BENCHMARK(track_exchanges)->ArgName("traces")->Arg(0)->Arg(1);

void record_metrics(benchmark::State& state) {
    metrics::Registry registry({});
    spans::SpanBatch batch;
    const spans::ResourcePtr resource = spans::test_resource();
    for (int i = 0; i < 64; ++i) spans::add_server_span(batch, resource, i % 2 ? "/items/*" : "/users/*");
    registry.record(batch, 1'000'000'000);
    std::uint64_t now = 1'000'000'000;
    const std::uint64_t before = bench::allocations();
    for (auto _ : state) registry.record(batch, now += 1000);
    state.SetItemsProcessed(64 * state.iterations());
    state.counters["allocations_per_request"] =
        static_cast<double>(bench::allocations() - before) / static_cast<double>(64 * state.iterations());
}
BENCHMARK(record_metrics);

// Spans as the tracker makes them, into an OTLP request.
void encode_spans(benchmark::State& state) {
    protocols::TrackerConfig config;
    config.options.wants_traces = true;
    protocols::Tracker tracker(config);
    Connection connection(tracker);
    for (int i = 0; i < 512; ++i) connection.exchange();
    for (std::uint64_t second = 1; second <= 3; ++second)  // spans wait for their callers
        tracker.on_tick(connection.now() + second * 1'000'000'000, connection.batch());
    const std::size_t count = connection.batch().size();
    std::size_t bytes = 0;
    for (auto _ : state) bytes += otlp::spans_to_protobuf(connection.batch(), {}).size();
    state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
    state.SetItemsProcessed(static_cast<std::int64_t>(count) * state.iterations());
}
BENCHMARK(encode_spans);

}  // namespace
