// SPDX-License-Identifier: Apache-2.0
#include "agent/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>

#include "base/log.h"

namespace waggle::agent {
namespace {

constexpr std::chrono::milliseconds kLive{1000};
constexpr std::chrono::milliseconds kLines{10'000};
// The first log lines, about what works here, stay readable for a moment.
constexpr std::chrono::milliseconds kFirst{2500};

void write_out(const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
}

}  // namespace

Console::Console(bool is_wanted)
    : is_wanted_(is_wanted),
      is_live_(is_wanted && ::isatty(STDOUT_FILENO)),
      last_(std::chrono::steady_clock::now()),
      started_(last_) {}

Console::~Console() { close(); }

std::chrono::milliseconds Console::interval() const { return is_live_ ? kLive : std::chrono::milliseconds(1000); }

void Console::draw(const Rows& rows, const std::function<Status()>& status) {
    if (!is_wanted_) return;
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ < (is_live_ ? kLive / 2 : kLines)) return;
    const double seconds = std::chrono::duration<double>(now - last_).count();
    if (is_live_) {
        if (now - started_ < kFirst) return;
        winsize size{};
        ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
        const int height = size.ws_row ? size.ws_row : 24;
        log::set_quiet(true);
        write_out(render_live(rows(seconds), status(), {.width = size.ws_col ? size.ws_col : 80, .height = height}));
    } else {
        write_out(render_lines(rows(seconds), status()));
    }
    last_ = now;
}

void Console::close() {
    if (is_live_) log::set_quiet(false);
    is_wanted_ = is_live_ = false;
}

}  // namespace waggle::agent
