// SPDX-License-Identifier: Apache-2.0
// Servers: the ports the agent listens on: scrapes, health, the agent's own metrics. They answer
// from before the agent is attached until it has flushed everything; ready is only what lies
// between.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "agent/pipeline.h"
#include "config/config.h"
#include "http/server.h"

namespace waggle::agent {

class Servers {
  public:
    static Result<Servers> open(const config::Config& config, Pipeline& pipeline, const std::atomic<bool>& is_ready,
                                const std::function<std::string()>& status);
    void stop();

  private:
    Result<http::Server*> on(const std::string& address, std::uint16_t port);

    std::map<std::uint16_t, http::Server> by_port_;
};

}  // namespace waggle::agent
