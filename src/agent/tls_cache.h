// SPDX-License-Identifier: Apache-2.0
// TlsCache: what was found out about files, kept on disk from one run of the agent to the next, by build id. What is
// wrong, damaged, another version's or another user's is as if it were not there: a probe at a wrong place would break
// a program. Under its owner's lock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/tls_files.h"
#include "elf/image.h"

namespace waggle::agent {

class TlsCache {
  public:
    // The folder must be the agent's own, and closed to others. Without one nothing is kept.
    explicit TlsCache(std::string folder);

    // A build id stays when a file is stripped or patched: size and time are the file's as well.
    struct Key {
        std::string build_id;  // in hexadecimal digits; empty: the file has none, and is not kept
        std::uint64_t size = 0;
        std::uint64_t modified_ns = 0;
        bool has_looked_at_code = true;  // for libraries without symbols
        bool has_shadow_stacks = false;  // places were chosen so that they do no harm to one
    };
    static Key key_of(const elf::Image& image, std::uint64_t modified_ns);

    std::optional<TlsFile> find(const Key& key, const elf::Image& image) const;
    void keep(const Key& key, const elf::Image& image, const TlsFile& file);

    static constexpr std::size_t kMaxFiles = 4096;

  private:
    std::string path_of(const Key& key) const;
    void make_room();

    std::string folder_;
    std::size_t files_ = 0;
};

}  // namespace waggle::agent
