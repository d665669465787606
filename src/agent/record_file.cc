// SPDX-License-Identifier: Apache-2.0
#include "agent/record_file.h"

#include <fmt/format.h>

#include <cstring>

#include "agent/record_format.h"

namespace waggle::agent {

Result<RecordFile> RecordFile::open(const std::string& path) {
    File file(std::fopen(path.c_str(), "rbe"), std::fclose);
    if (!file) return fail_errno(path);
    std::string magic(kRecordMagic.size(), '\0');
    const std::size_t got = std::fread(magic.data(), 1, magic.size(), file.get());
    if (std::ferror(file.get())) return fail_errno(path);
    if (got != magic.size() || magic != kRecordMagic)
        return fail(path + ": not a record file of waggle record (it does not begin with WAGGLE1)");
    RecordFile opened(path, std::move(file));
    opened.offset_ = magic.size();
    return opened;
}

Result<std::optional<Record>> RecordFile::next() {
    Record record{};
    const std::size_t got = std::fread(&record.head, 1, sizeof(record.head), file_.get());
    if (std::ferror(file_.get())) return fail_errno(path_);
    if (got == 0) return std::nullopt;
    const std::uint32_t length = record.head.length;
    if (got == sizeof(record.head) && (length < sizeof(record.head) || length > kMaxRecordBytes))
        return fail(fmt::format("{}: damaged at byte {}: a record cannot be {} bytes long", path_, offset_, length));
    if (got == sizeof(record.head)) {
        buffer_.resize(length);
        std::memcpy(buffer_.data(), &record.head, sizeof(record.head));
        const std::size_t rest = length - sizeof(record.head);
        if (std::fread(buffer_.data() + sizeof(record.head), 1, rest, file_.get()) == rest) {
            record.bytes = buffer_;
            offset_ += length;
            return record;
        }
        if (std::ferror(file_.get())) return fail_errno(path_);
    }
    return fail(fmt::format("{}: ends inside the record at byte {}: it was cut off", path_, offset_));
}

}  // namespace waggle::agent
