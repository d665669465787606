// SPDX-License-Identifier: Apache-2.0
// TlsUsers: how many processes have probes on a file. Each is a link of its own, so that nothing traps in a process
// that is not selected; but the kernel asks every link of a file at every call of any of its processes, so there is a
// limit.
#pragma once

#include <cstddef>
#include <map>
#include <memory>

#include "agent/tls_files.h"

namespace waggle::agent {

class TlsUsers {
  public:
    static constexpr std::size_t kMost = 1024;

    explicit TlsUsers(std::size_t most = kMost) : most_(most) {}
    // One more; false: there are too many already.
    bool add(const std::shared_ptr<const TlsFile>& file) {
        std::size_t& users = by_file_[file];
        if (users >= most_) return false;
        ++users;
        return true;
    }
    void remove(const std::shared_ptr<const TlsFile>& file) {
        const auto found = by_file_.find(file);
        if (found != by_file_.end() && --found->second == 0) by_file_.erase(found);
    }

  private:
    std::size_t most_;
    std::map<std::shared_ptr<const TlsFile>, std::size_t> by_file_;
};

}  // namespace waggle::agent
