// SPDX-License-Identifier: Apache-2.0
// Releaser: lets go of probes on a thread of its own. The kernel waits for its readers at each: 20 to 80 ms, in which
// discovery would hear of no new process. Used by TlsProbes.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "base/fd.h"

struct bpf_link;

namespace waggle::sensors {

// One link for all places of a file, or one for each.
struct ProbeLinks {
    static constexpr std::size_t kMultiAtOnce = 4;
    static constexpr std::size_t kSingleAtOnce = 64;

    std::vector<Fd> multi;
    std::vector<bpf_link*> single;  // owned; release() ends it
    void add(ProbeLinks more);
    // As many as go at once.
    ProbeLinks take_some();
    std::size_t size() const { return multi.size() + single.size(); }
    // Returns when they are gone.
    void release();
};

// Any thread.
class Releaser {
  public:
    // Beyond that add() lets go of its links itself: a stop waits for those that are here.
    static constexpr std::size_t kMost = 64;
    using Release = std::function<void(ProbeLinks&)>;

    explicit Releaser(Release release = &ProbeLinks::release) : release_(std::move(release)) {}
    ~Releaser() { finish(); }
    void add(ProbeLinks links);
    // What is left goes before it returns; what is added later goes at once.
    void finish();

  private:
    void run(std::stop_token stop);

    Release release_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    ProbeLinks waiting_;
    std::size_t under_way_ = 0;
    bool is_over_ = false;
    std::jthread thread_;  // from the first one on
};

}  // namespace waggle::sensors
