// SPDX-License-Identifier: Apache-2.0
// The status page: the agent's account, budget and sensors as JSON, at /status of every port it listens on. `waggle
// doctor
// --live` and `waggle stop` read it. Counts and names of causes only: nothing of the traffic.
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "agent/account.h"
#include "sensors/sensor.h"

namespace waggle::agent {

inline constexpr const char* kStatusPath = "/status";

// What a status page tells beside the account.
struct LiveFacts {
    bool is_ready = false;
    double uptime_s = 0;
    std::vector<sensors::SensorReport> sensors;
};

std::string status_json(const Account& account, const LiveFacts& facts);

// What the threads of the agent know for the page.
class StatusSource {
  public:
    void set_sensors(std::vector<sensors::SensorReport> sensors) {
        std::lock_guard lock(mutex_);
        sensors_ = std::move(sensors);
    }
    std::vector<sensors::SensorReport> sensors() const {
        std::lock_guard lock(mutex_);
        return sensors_;
    }

  private:
    mutable std::mutex mutex_;
    std::vector<sensors::SensorReport> sensors_;
};

std::string_view state_name(sensors::SensorState state);

}  // namespace waggle::agent
