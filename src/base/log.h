// SPDX-License-Identifier: Apache-2.0
// Logging for everything but pure folders. error: the user must act; warn: a feature is lost;
// info: start, stop, attach; debug: the rest. Never per event: there we count.
#pragma once

#include <fmt/format.h>

#include <string_view>

namespace waggle::log {

enum class Level { Debug, Info, Warn, Error };

// Text lines on standard error (standard output belongs to the printers).
void set_level(Level level);
void set_quiet(bool quiet);  // the live console owns the terminal: lines are kept back until it ends
bool enabled(Level level);
void write(Level level, std::string_view text);

template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(Level::Debug)) write(Level::Debug, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(Level::Info)) write(Level::Info, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(Level::Warn)) write(Level::Warn, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(Level::Error)) write(Level::Error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace waggle::log
