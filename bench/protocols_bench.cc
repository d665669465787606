// SPDX-License-Identifier: Apache-2.0
// Bytes and messages a second of each protocol, from the ring's events to spans, on one connection that is warm. What a
// message allocates is a test (tests/allocations).
#include <benchmark/benchmark.h>

#include "protocols/testing/steady.h"

namespace {

using waggle::protocols::testing::kSteadyTalks;
using waggle::protocols::testing::SteadyPlay;
using waggle::protocols::testing::SteadyTalk;

void read_protocol(benchmark::State& state, const SteadyTalk& talk) {
    SteadyPlay play(talk);
    play.prepare();
    play.run();
    std::size_t bytes = 0;
    const std::size_t before = play.spans();
    for (auto _ : state) {
        state.PauseTiming();
        play.prepare();
        bytes += play.bytes();
        state.ResumeTiming();
        play.run();
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
    state.SetItemsProcessed(static_cast<std::int64_t>(play.spans() - before));
}

struct Registration {
    Registration() {
        for (const SteadyTalk& talk : kSteadyTalks)
            benchmark::RegisterBenchmark(("protocol/" + std::string(talk.protocol).append(talk.form)).c_str(),
                                         [&talk](benchmark::State& state) { read_protocol(state, talk); });
    }
};
const Registration kRegistration;

}  // namespace
