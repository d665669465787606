// SPDX-License-Identifier: Apache-2.0
#include "agent/record.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "agent/record_format.h"
#include "base/log.h"
#include "bpf/abi/datagrams.h"

namespace waggle::agent {
namespace {

wg_event head_of(wg_event_type type, std::size_t length, std::uint64_t time_ns) {
    return {
        .type = type, .version = WG_EVENT_VERSION, .length = static_cast<std::uint32_t>(length), .time_ns = time_ns};
}

template <typename Event>
bool take(std::span<const char> record, Event& event) {
    if (record.size() < sizeof(Event)) return false;
    std::memcpy(&event, record.data(), sizeof(Event));
    return true;
}

}  // namespace

Result<std::unique_ptr<RecordWriter>> RecordWriter::create(const std::string& path, bool is_masked) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return fail_errno(path);
    // Also where the file was there already.
    if (struct stat status{}; ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) (void)::fchmod(fd, 0600);
    std::FILE* file = ::fdopen(fd, "wb");
    if (!file) {
        const int code = errno;
        ::close(fd);
        return fail_errno(path, code);
    }
    std::unique_ptr<RecordWriter> writer(new RecordWriter(path, file, is_masked));
    writer->write(kRecordMagic.data(), kRecordMagic.size());
    return writer;
}

RecordWriter::~RecordWriter() {
    if (file_) std::fclose(file_);
}

Result<void> RecordWriter::finish() {
    std::lock_guard lock(mutex_);
    held_.finish();
    if (file_ && std::fclose(std::exchange(file_, nullptr)) != 0 && !error_) error_ = errno;
    if (error_) return fail_errno(path_ + " is not complete", error_);
    return ok();
}

void RecordWriter::write(const void* data, std::size_t size) {
    if (!file_ || error_) return;
    if (std::fwrite(data, 1, size, file_) == size) return;
    error_ = errno ? errno : EIO;
    log::error("{}: {}; nothing more is recorded", path_, std::strerror(error_));
}

void RecordWriter::write_record(std::uint32_t ring, std::span<const char> record) {
    select_ring(ring);
    write(record.data(), record.size());
}

void RecordWriter::select_ring(std::uint32_t ring) {
    if (ring == ring_) return;
    ring_ = ring;
    const RingRecord record{.head = head_of(kRecordRing, sizeof(record), 0), .ring = ring, .padding = 0};
    write(&record, sizeof(record));
}

void RecordWriter::write_json(wg_event_type type, const std::string& body) {
    if (sizeof(wg_event) + body.size() > kMaxRecordBytes) return;
    const wg_event head = head_of(type, sizeof(head) + body.size(), 0);
    write(&head, sizeof(head));
    write(body.data(), body.size());
}

void RecordWriter::settings(std::uint32_t ring, const RecordSettings& settings) {
    const std::string body = settings_fact(settings);
    std::lock_guard lock(mutex_);
    select_ring(ring);
    write_json(kRecordSettings, body);
}

void RecordWriter::event(std::uint32_t ring, std::span<const std::byte> record) {
    wg_event head;
    if (record.size() < sizeof(head)) return;
    std::memcpy(&head, record.data(), sizeof(head));
    if (head.length < sizeof(head) || head.length > record.size()) return;
    std::lock_guard lock(mutex_);
    const auto* bytes = reinterpret_cast<const char*>(record.data());
    scratch_.assign(bytes, bytes + head.length);
    if (is_masked_ && head.type == WG_EVENT_DATA) {
        wg_data_event data;
        if (!take(scratch_, data)) return;
        mask_.data(data, std::span(scratch_).subspan(sizeof(data)));
        std::memcpy(scratch_.data(), &data, sizeof(data));
    } else if (is_masked_ && head.type == WG_EVENT_DATAGRAM) {
        if (scratch_.size() < sizeof(wg_datagram_event)) return;
        mask_.datagram(std::span(scratch_).subspan(sizeof(wg_datagram_event)));
    } else if (is_masked_ && head.type == WG_EVENT_CLOSE) {
        wg_close_event close;
        if (!take(scratch_, close)) return;
        mask_.close(close);
        std::memcpy(scratch_.data(), &close, sizeof(close));
    }
    held_.push(ring, scratch_);
}

void RecordWriter::tail(std::uint32_t ring, const wg_tail_key& key, const wg_tail& tail) {
    TailRecord record{.head = head_of(WG_EVENT_TAIL, sizeof(record), tail.end_ns), .key = key, .tail = tail};
    if (is_masked_) PayloadMask::tail(record.tail.tail);
    std::lock_guard lock(mutex_);
    held_.push(ring, {reinterpret_cast<const char*>(&record), sizeof(record)});
}

void RecordWriter::tick(std::uint32_t ring, std::uint64_t now_ns) {
    const wg_event record = head_of(WG_EVENT_TICK, sizeof(record), now_ns);
    std::lock_guard lock(mutex_);
    held_.push(ring, {reinterpret_cast<const char*>(&record), sizeof(record)});
}

void RecordWriter::processes(std::shared_ptr<const discover::TargetTable> table) {
    std::lock_guard lock(mutex_);
    for (const auto& target : *table) {
        if (!target->resource) continue;
        spans::ResourcePtr& known = known_[{target->pid, target->start_ns}];
        if (known == target->resource) continue;
        known = target->resource;
        write_json(WG_EVENT_PROCESS, process_fact(*target, is_masked_));
    }
    table_ = std::move(table);
    held_.judged(0);
    // Who is no longer in the table does not come back: pids are told apart by their start.
    if (known_.size() <= 2 * table_->size() + 1024) return;
    std::erase_if(known_, [&](const auto& entry) { return !table_->find(entry.first.first, entry.first.second); });
}

bool RecordWriter::is_selected(const spans::ProcessKey& process) const {
    return table_ && table_->find(process.pid, process.start_ns);
}

void RecordWriter::judged(std::uint64_t until_ns) {
    std::lock_guard lock(mutex_);
    held_.judged(until_ns);
}

}  // namespace waggle::agent
