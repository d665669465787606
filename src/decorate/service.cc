// SPDX-License-Identifier: Apache-2.0
#include "decorate/service.h"

#include <utility>

namespace waggle::decorate {
namespace {

// A shell or a wrapper becomes its program meanwhile.
constexpr std::uint64_t kYoungNs = 1'000'000'000;

const discover::Target* find(const discover::TargetTable& table, const spans::ProcessKey& process) {
    if (process.start_ns == 0) return table.find(process.pid);
    return table.find(process.pid, process.start_ns);
}

}  // namespace

Service::Service(TableSource table) : table_(std::move(table)) {}

void Service::apply(spans::SpanBatch& batch) {
    const std::shared_ptr<const discover::TargetTable> table = table_();
    // Spans of one process come in runs.
    spans::ProcessKey last;
    const discover::Target* target = nullptr;
    for (spans::Span& span : batch) {
        if (span.resource) continue;
        if (table && !(span.process == last)) {
            last = span.process;
            target = find(*table, last);
        }
        if (target != nullptr) span.resource = target->resource;
    }
    const size_t before = batch.size();
    batch.retain([](const spans::Span& span) { return span.resource != nullptr; });
    unowned_ += before - batch.size();
}

Service::Known Service::knows(const spans::SpanBatch& batch, std::uint64_t boot_ns) const {
    const std::shared_ptr<const discover::TargetTable> table = table_();
    spans::ProcessKey last;
    bool has_young = false;
    for (const spans::Span& span : batch) {
        if (span.resource || span.process.pid == 0 || span.process == last) continue;
        last = span.process;
        const discover::Target* target = table ? find(*table, last) : nullptr;
        if (!target) return Known::No;
        has_young |= boot_ns < target->start_ns + kYoungNs;
    }
    return has_young ? Known::Young : Known::Yes;
}

}  // namespace waggle::decorate
