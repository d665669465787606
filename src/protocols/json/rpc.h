// SPDX-License-Identifier: Apache-2.0
// JSON-RPC's calls and answers (versions 1 and 2), alone or in a batch. Parameters and results are never told. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocols/json/scan.h"

namespace waggle::protocols::json {

struct RpcMessage {
    std::string version;                // "2.0"; "1.0" where none is said
    std::string method;                 // of a call
    std::string id;                     // as it is written, a text's quotes included; empty: a notification
    std::optional<std::int64_t> error;  // the code, where it was here
    bool is_error = false;
    bool is_answer = false;
    bool is_whole = false;  // all of it was here
};

// The call or answer at the front of a text; of a batch its first one.
std::optional<RpcMessage> read_rpc(std::string_view text);
// As it is told: a text without its quotes.
std::string_view plain_id(std::string_view id);

}  // namespace waggle::protocols::json
