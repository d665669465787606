// SPDX-License-Identifier: Apache-2.0
#include "protocols/json/rpc.h"

#include "base/strings.h"

namespace waggle::protocols::json {
namespace {

constexpr std::size_t kMaxMethod = 128;
constexpr std::size_t kMaxId = 64;

// What names a method in any language; texts that people write are none.
bool is_method(std::string_view text) {
    if (text.empty() || text.size() > kMaxMethod) return false;
    for (const char c : text)
        if (static_cast<unsigned char>(c) <= 0x20 || c == '"' || c == '\\' || c == 0x7f) return false;
    return true;
}

// 0 where there is none; nothing where it may stand in what is not here.
std::optional<std::int64_t> code_of(const Member& error) {
    Members members(error.value);
    while (const auto member = members.next())
        if (member->key == "code" && !member->is_text && !member->is_cut)
            return parse_int<std::int64_t>(trim(member->value)).value_or(0);
    if (error.is_cut) return {};
    return 0;
}

}  // namespace

std::optional<RpcMessage> read_rpc(std::string_view text) {
    text = skip_blanks(text);
    if (text.starts_with('[')) text = skip_blanks(text.substr(1));
    RpcMessage message;
    bool has_parameters = false;
    Members members(text);
    while (const auto member = members.next()) {
        const std::string_view key = member->key;
        const std::string_view value = member->value;
        if (key == "jsonrpc") {
            if (!member->is_text || value != "2.0") return {};
            message.version = value;
        } else if (key == "method") {
            if (!member->is_text || member->is_cut || !is_method(value)) return {};
            message.method = value;
        } else if (key == "params") {
            has_parameters = true;
        } else if (key == "id" && !member->is_cut && value != "null" && value.size() <= kMaxId) {
            message.id.assign(member->is_text ? "\"" : "").append(value).append(member->is_text ? "\"" : "");
        } else if (key == "result") {
            message.is_answer |= value != "null";
        } else if (key == "error" && value != "null") {
            message.is_answer = message.is_error = true;
            message.error = code_of(*member);
        }
    }
    message.is_whole = members.is_whole();
    if (message.version.empty()) {
        // Version 1 says nothing of itself: all of its members must be there.
        const bool is_call = !message.method.empty() && has_parameters && !message.id.empty();
        if (!is_call && !(message.is_answer && !message.id.empty())) return {};
        message.version = "1.0";
    }
    if (message.method.empty() == !message.is_answer && message.id.empty()) return {};
    if (message.method.empty() && !message.is_answer) message.is_answer = !message.id.empty();
    return message;
}

std::string_view plain_id(std::string_view id) { return id.starts_with('"') ? id.substr(1, id.size() - 2) : id; }

}  // namespace waggle::protocols::json
