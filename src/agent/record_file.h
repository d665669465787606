// SPDX-License-Identifier: Apache-2.0
// RecordFile: reads a record file, record by record, and says where it is damaged.
#pragma once

#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bpf/abi/events.h"

namespace waggle::agent {

struct Record {
    wg_event head;
    std::span<const std::byte> bytes;  // head included; until the next call
    std::string_view body() const {
        return {reinterpret_cast<const char*>(bytes.data()) + sizeof(head), bytes.size() - sizeof(head)};
    }
    // False where the record is shorter.
    template <typename T>
    bool read(T& value) const {
        if (bytes.size() < sizeof(value)) return false;
        std::memcpy(&value, bytes.data(), sizeof(value));
        return true;
    }
};

class RecordFile {
  public:
    static Result<RecordFile> open(const std::string& path);
    // The next record, nothing at the end, an error where the file is damaged.
    Result<std::optional<Record>> next();

  private:
    using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;
    RecordFile(std::string path, File file) : path_(std::move(path)), file_(std::move(file)) {}

    std::string path_;
    File file_;
    std::uint64_t offset_ = 0;
    std::vector<std::byte> buffer_;
};

}  // namespace waggle::agent
