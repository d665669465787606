// SPDX-License-Identifier: Apache-2.0
#include "agent/record_held.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "agent/record_format.h"
#include "bpf/abi/datagrams.h"
#include "bpf/abi/events.h"

namespace waggle::agent {
namespace {

constexpr std::size_t kMostBytes = 16 << 20;  // then who is not judged yet counts as nobody's
constexpr std::size_t kMostNobodys = 65536;

template <typename Event>
std::optional<Event> read(std::span<const char> record) {
    Event event;
    if (record.size() < sizeof(event)) return std::nullopt;
    std::memcpy(&event, record.data(), sizeof(event));
    return event;
}

template <typename Event>
void put_front(std::vector<char>& record, const Event& event) {
    std::memcpy(record.data(), &event, sizeof(event));
}

// Whose bytes it holds.
std::optional<spans::ProcessKey> owner_of(std::span<const char> record) {
    const auto head = read<wg_event>(record);
    if (!head) return std::nullopt;
    if (head->type == WG_EVENT_DATA)
        if (const auto data = read<wg_data_event>(record)) return spans::ProcessKey{data->pid, data->process_start_ns};
    if (head->type == WG_EVENT_DATAGRAM)
        if (const auto datagram = read<wg_datagram_event>(record))
            return spans::ProcessKey{datagram->pid, datagram->process_start_ns};
    return std::nullopt;
}

}  // namespace

void HeldRecords::push(std::uint32_t ring, std::span<const char> record) {
    if (records_.empty() && !waits(record)) {
        scratch_.assign(record.begin(), record.end());
        return write_out(ring, scratch_);
    }
    records_.push_back({ring, {record.begin(), record.end()}});
    bytes_ += record.size();
    if (bytes_ <= kMostBytes) return;
    do {
        Record& oldest = records_.front();
        bytes_ -= oldest.bytes.size();
        write_out(oldest.ring, oldest.bytes);
        records_.pop_front();
    } while (!records_.empty() && !waits(records_.front().bytes));
}

void HeldRecords::judged(std::uint64_t until_ns) {
    judged_until_ns_ = std::max(judged_until_ns_, until_ns);
    for (; !records_.empty() && !waits(records_.front().bytes); records_.pop_front()) {
        bytes_ -= records_.front().bytes.size();
        write_out(records_.front().ring, records_.front().bytes);
    }
}

void HeldRecords::finish() { judged(UINT64_MAX); }

bool HeldRecords::waits(std::span<const char> record) const {
    const auto owner = owner_of(record);
    return owner && !is_selected_(*owner) && read<wg_event>(record)->time_ns >= judged_until_ns_;
}

void HeldRecords::write_out(std::uint32_t ring, std::vector<char>& record) {
    hide(record);
    write_(ring, record);
}

// What is nobody's.
void HeldRecords::hide(std::vector<char>& record) {
    const auto head = read<wg_event>(record);
    if (!head) return;
    const auto owner = owner_of(record);
    if (!owner && nobodys_.empty()) return;
    const bool is_nobodys = owner && !is_selected_(*owner);
    if (head->type == WG_EVENT_DATA && owner) {
        auto data = *read<wg_data_event>(record);
        if (!is_nobodys) {
            nobodys_.erase(data.connection);
            return;
        }
        if (nobodys_.size() < kMostNobodys) nobodys_.insert(data.connection);
        data.head.length = sizeof(data);
        data.captured = 0;
        std::memset(data.previous_tail, 0, sizeof(data.previous_tail));
        std::memset(data.tail, 0, sizeof(data.tail));
        record.resize(sizeof(data));
        put_front(record, data);
    } else if (is_nobodys) {
        auto datagram = *read<wg_datagram_event>(record);
        datagram.head.length = sizeof(datagram);
        datagram.captured = 0;
        record.resize(sizeof(datagram));
        put_front(record, datagram);
    } else if (auto tail = read<TailRecord>(record);
               tail && head->type == WG_EVENT_TAIL && nobodys_.contains(tail->key.connection)) {
        std::memset(tail->tail.tail, 0, sizeof(tail->tail.tail));
        put_front(record, *tail);
    } else if (auto close = read<wg_close_event>(record);
               close && head->type == WG_EVENT_CLOSE && nobodys_.erase(close->connection)) {
        std::memset(close->tail, 0, sizeof(close->tail));
        put_front(record, *close);
    }
}

}  // namespace waggle::agent
