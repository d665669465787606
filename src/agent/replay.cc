// SPDX-License-Identifier: Apache-2.0
#include "agent/replay.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "base/clock.h"
#include "base/log.h"
#include "base/strings.h"
#include "bpf/abi/events.h"
#include "exporters/console.h"
#include "protocols/tracker.h"

namespace waggle::agent {
namespace {

constexpr char kMagic[8] = {'W', 'A', 'G', 'G', 'L', 'E', '1', '\n'};
constexpr std::uint32_t kMaxRecord = 1u << 20;
constexpr std::uint64_t kTickNs = 5'000'000;

// Fields whose values framing, naming and tracing need.
constexpr std::array<std::string_view, 11> kKeptFields = {
    "host",       "content-length", "transfer-encoding", "connection", "upgrade",     "expect",
    "user-agent", "traceparent",    "tracestate",        "te",         "content-type"};

bool is_kept(std::string_view name) {
    for (const std::string_view kept : kKeptFields)
        if (equals_ignoring_case(name, kept)) return true;
    return false;
}

void overwrite(std::span<char> text) {
    for (char& c : text)
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80)) c = 'x';
}

// A line that opens a message: its query is overwritten, the rest stays.
bool is_start_line(std::string_view line) {
    return line.starts_with("HTTP/1.") || line.find(" HTTP/1.") != std::string_view::npos;
}

void print_batch(spans::SpanBatch& batch, const config::Config& config, std::string& out) {
    using config::TracePrinter;
    out.clear();
    if (config.trace_printer == TracePrinter::Json || config.trace_printer == TracePrinter::JsonIndent)
        exporters::print_json(batch, wall_offset_ns(), config.trace_printer == TracePrinter::JsonIndent, out);
    else exporters::print_text(batch, wall_offset_ns(), out);
    std::fwrite(out.data(), 1, out.size(), stdout);
    batch.clear();
}

}  // namespace

void mask_payload(std::span<char> payload) {
    const std::string_view text(payload.data(), payload.size());
    std::size_t at = 0;
    bool in_head = false;
    while (at < text.size()) {
        const std::size_t newline = text.find('\n', at);
        const std::size_t end = newline == std::string_view::npos ? text.size() : newline;
        const std::string_view line = text.substr(at, end - at);
        const std::span<char> bytes = payload.subspan(at, end - at);
        if (is_start_line(line)) {
            in_head = true;
            const std::size_t question = line.find('?');
            const std::size_t version = line.rfind(" HTTP/1.");
            if (question != std::string_view::npos && version != std::string_view::npos && version > question)
                overwrite(bytes.subspan(question, version - question));
        } else if (trim(line).empty()) {
            in_head = false;
        } else if (in_head) {
            const std::size_t colon = line.find(':');
            if (colon == std::string_view::npos) overwrite(bytes);
            else if (!is_kept(line.substr(0, colon))) overwrite(bytes.subspan(colon));
        } else {
            overwrite(bytes);
        }
        at = end + 1;
    }
}

Result<std::unique_ptr<RecordWriter>> RecordWriter::create(const std::string& path, bool is_masked) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return fail_errno(path);
    std::FILE* file = ::fdopen(fd, "wb");
    if (!file) return fail_errno(path);
    std::fwrite(kMagic, 1, sizeof(kMagic), file);
    return std::unique_ptr<RecordWriter>(new RecordWriter(file, is_masked));
}

RecordWriter::~RecordWriter() { std::fclose(file_); }

void RecordWriter::write(std::span<const std::byte> record) {
    wg_event head;
    if (record.size() < sizeof(head)) return;
    std::memcpy(&head, record.data(), sizeof(head));
    if (head.length > record.size()) return;
    masked_.assign(reinterpret_cast<const char*>(record.data()),
                   reinterpret_cast<const char*>(record.data()) + head.length);
    if (is_masked_ && head.type == WG_EVENT_DATA && masked_.size() > sizeof(wg_data_event))
        mask_payload(std::span(masked_).subspan(sizeof(wg_data_event)));
    std::fwrite(masked_.data(), 1, masked_.size(), file_);
}

Result<void> replay(const std::string& path, const config::Config& config) {
    std::FILE* file = std::fopen(path.c_str(), "rbe");
    if (!file) return fail_errno(path);
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> owner(file, std::fclose);
    char magic[sizeof(kMagic)];
    if (std::fread(magic, 1, sizeof(magic), file) != sizeof(magic) || std::memcmp(magic, kMagic, sizeof(kMagic)) != 0)
        return fail(path + ": not a record file (it does not begin with WAGGLE1)");
    protocols::TrackerConfig tracker_config;
    tracker_config.options.sensitive_query_params = config.sensitive_query_params;
    protocols::Tracker tracker(std::move(tracker_config));
    spans::SpanBatch batch;
    std::string out;
    std::vector<std::byte> record;
    std::uint64_t next_tick = 0;
    std::uint64_t last = 0;
    for (;;) {
        wg_event head;
        const std::size_t got = std::fread(&head, 1, sizeof(head), file);
        if (got == 0) break;
        if (got != sizeof(head) || head.length < sizeof(head) || head.length > kMaxRecord)
            return fail(path + ": damaged at byte " + std::to_string(std::ftell(file)));
        record.resize(head.length);
        std::memcpy(record.data(), &head, sizeof(head));
        if (std::fread(record.data() + sizeof(head), 1, head.length - sizeof(head), file) != head.length - sizeof(head))
            return fail(path + ": ends inside a record");
        tracker.on_event(record, batch);
        last = std::max<std::uint64_t>(last, head.time_ns);
        if (head.time_ns >= next_tick) {
            tracker.on_tick(head.time_ns, batch);
            next_tick = head.time_ns + kTickNs;
        }
        if (!batch.is_empty()) print_batch(batch, config, out);
    }
    tracker.finish(last, batch);
    if (!batch.is_empty()) print_batch(batch, config, out);
    return {};
}

}  // namespace waggle::agent
