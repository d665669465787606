// SPDX-License-Identifier: Apache-2.0
// Console: the live summary on a terminal, refreshed in place; plain lines now and then elsewhere. While
// it owns the terminal, log lines are kept back.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

#include "agent/summary.h"

namespace waggle::agent {

class Console {
  public:
    using Rows = std::function<std::vector<Summary::Row>(double seconds)>;

    explicit Console(bool is_wanted);
    ~Console();
    Console(const Console&) = delete;
    Console& operator=(const Console&) = delete;

    std::chrono::milliseconds interval() const;
    // Asks for what it shows when it is time.
    void draw(const Rows& rows, const std::function<Status()>& status);
    void close();

  private:
    bool is_wanted_;
    bool is_live_;
    std::chrono::steady_clock::time_point last_;
    std::chrono::steady_clock::time_point started_;
};

}  // namespace waggle::agent
