// SPDX-License-Identifier: Apache-2.0
// RecordWriter: the event stream as a file (record_format.h), with all that a replay needs. Fed by
// the readers and discovery, from any thread.
#pragma once

#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "agent/mask.h"
#include "agent/record_facts.h"
#include "agent/record_held.h"
#include "base/result.h"
#include "bpf/abi/events.h"

namespace waggle::agent {

class RecordWriter {
  public:
    // Mode 0600. Masked: see mask.h.
    static Result<std::unique_ptr<RecordWriter>> create(const std::string& path, bool is_masked);
    ~RecordWriter();
    RecordWriter(const RecordWriter&) = delete;
    RecordWriter& operator=(const RecordWriter&) = delete;

    // What a reader does, in its order. The settings come first.
    void settings(std::uint32_t ring, const RecordSettings& settings);
    void event(std::uint32_t ring, std::span<const std::byte> record);
    void tail(std::uint32_t ring, const wg_tail_key& key, const wg_tail& tail);
    void tick(std::uint32_t ring, std::uint64_t now_ns);
    // Who the processes are; written once, and again when it changes.
    void processes(std::shared_ptr<const discover::TargetTable> table);
    // Who was there before this time (CLOCK_MONOTONIC) and is not in the table is not selected.
    void judged(std::uint64_t until_ns);

    // Everything is in the file, or what went wrong: the disk may be full.
    Result<void> finish();

  private:
    RecordWriter(std::string path, std::FILE* file, bool is_masked)
        : path_(std::move(path)), file_(file), is_masked_(is_masked) {}
    bool is_selected(const spans::ProcessKey& process) const;
    void write_record(std::uint32_t ring, std::span<const char> record);
    void select_ring(std::uint32_t ring);
    void write(const void* data, std::size_t size);
    void write_json(wg_event_type type, const std::string& body);

    std::mutex mutex_;
    std::string path_;
    std::FILE* file_;
    bool is_masked_;
    int error_ = 0;  // errno of the first write that failed; nothing is written after it
    std::uint32_t ring_ = 0;
    PayloadMask mask_;
    std::vector<char> scratch_;
    std::map<std::pair<std::uint32_t, std::uint64_t>, spans::ResourcePtr> known_;
    std::shared_ptr<const discover::TargetTable> table_;
    HeldRecords held_{[this](const spans::ProcessKey& process) { return is_selected(process); },
                      [this](std::uint32_t ring, std::span<const char> record) { write_record(ring, record); }};
};

}  // namespace waggle::agent
