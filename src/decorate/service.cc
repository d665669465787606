// SPDX-License-Identifier: Apache-2.0
#include "decorate/service.h"

#include <utility>

namespace waggle::decorate {
namespace {

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

bool Service::knows(const spans::SpanBatch& batch) const {
    const std::shared_ptr<const discover::TargetTable> table = table_();
    spans::ProcessKey last;
    for (const spans::Span& span : batch) {
        if (span.resource || span.process.pid == 0 || span.process == last) continue;
        last = span.process;
        if (!table || find(*table, last) == nullptr) return false;
    }
    return true;
}

}  // namespace waggle::decorate
