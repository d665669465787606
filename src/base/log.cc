// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace waggle::log {
namespace {

constexpr size_t kKeptLines = 200;

struct State {
    std::shared_ptr<spdlog::logger> logger = spdlog::stderr_color_mt("waggle");
    std::mutex mutex;
    bool quiet = false;
    std::vector<std::pair<Level, std::string>> kept;
};

State& state() {
    static State instance;
    return instance;
}

spdlog::level::level_enum native(Level level) {
    switch (level) {
        case Level::Debug:
            return spdlog::level::debug;
        case Level::Info:
            return spdlog::level::info;
        case Level::Warn:
            return spdlog::level::warn;
        case Level::Error:
            return spdlog::level::err;
    }
    return spdlog::level::info;
}

}  // namespace

void set_level(Level level) { state().logger->set_level(native(level)); }

bool enabled(Level level) { return state().logger->should_log(native(level)); }

void set_quiet(bool quiet) {
    std::vector<std::pair<Level, std::string>> kept;
    {
        std::lock_guard lock(state().mutex);
        state().quiet = quiet;
        if (!quiet) kept.swap(state().kept);
    }
    for (auto& [level, text] : kept) state().logger->log(native(level), text);
}

void write(Level level, std::string_view text) {
    {
        std::lock_guard lock(state().mutex);
        if (state().quiet) {
            if (state().kept.size() < kKeptLines) state().kept.emplace_back(level, text);
            return;
        }
    }
    state().logger->log(native(level), spdlog::string_view_t(text.data(), text.size()));
}

}  // namespace waggle::log
