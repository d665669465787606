// SPDX-License-Identifier: Apache-2.0
// sd_notify: tells systemd (NOTIFY_SOCKET) that the agent is attached, or ends. Nothing elsewhere.
#pragma once

namespace waggle::agent {

void notify_ready();
void notify_stopping();

}  // namespace waggle::agent
