// SPDX-License-Identifier: Apache-2.0
#include "protocols/jsonrpc/session.h"

#include <algorithm>

#include "base/strings.h"
#include "protocols/jsonrpc/jsonrpc.h"
#include "protocols/peers.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::jsonrpc {
namespace {

constexpr std::size_t kMaxDocument = 16384;  // of which the end is looked for
constexpr std::uint64_t kMaxContent = std::uint64_t{1} << 30;
constexpr std::size_t kMaxHead = 512;
constexpr std::array<std::string_view, 2> kFields = {"Content-Length:", "Content-Type:"};

// The head of a language server's message: its size, and that of what follows.
struct Head {
    std::size_t size = 0;
    std::uint64_t content = 0;
};

bool starts_with(std::string_view line, std::string_view field) {
    const std::size_t size = std::min(line.size(), field.size());
    return equals_ignoring_case(line.substr(0, size), field.substr(0, size));
}

// Its two fields, in any order; nothing else may stand there.
std::expected<Head, Stop> read_head(std::string_view bytes) {
    Head head;
    bool has_length = false;
    for (std::string_view rest = bytes.substr(0, kMaxHead);;) {
        const std::size_t end = rest.find("\r\n");
        const std::string_view line = rest.substr(0, end);
        const bool is_whole = end != std::string_view::npos;
        if (is_whole && line.empty()) break;
        const bool is_end = !is_whole && line == "\r";
        if (!is_end && std::ranges::none_of(kFields, [&](std::string_view field) {
                return starts_with(line, field) && (!is_whole || line.size() > field.size());
            }))
            return std::unexpected(Stop::Invalid);
        if (!is_whole) return std::unexpected(bytes.size() < kMaxHead ? Stop::NeedMore : Stop::Invalid);
        if (starts_with(line, kFields[0])) {
            const auto content = parse_int<std::uint64_t>(trim(line.substr(kFields[0].size())));
            if (!content || *content > kMaxContent) return std::unexpected(Stop::Invalid);
            head.content = *content;
            has_length = true;
        }
        rest.remove_prefix(end + 2);
        head.size += end + 2;
    }
    if (!has_length) return std::unexpected(Stop::Invalid);
    head.size += 2;
    return head;
}

bool is_headed(std::string_view bytes) { return bytes.starts_with('C') || bytes.starts_with('c'); }

std::size_t blanks_of(std::string_view bytes) { return bytes.size() - json::skip_blanks(bytes).size(); }

}  // namespace

Parsed<Unit> Session::parse(const Half&, std::string_view bytes, bool is_final) {
    if (is_headed(bytes)) {
        const auto head = read_head(bytes);
        if (!head) return std::unexpected(head.error());
        const auto front = static_cast<std::size_t>(std::min<std::uint64_t>(head->content, kMaxDocument));
        return Unit{.size = head->size + head->content, .front = head->size + front};
    }
    const std::size_t blanks = blanks_of(bytes);
    if (blanks == bytes.size()) return Unit{.size = blanks};
    if (bytes[blanks] != '{' && bytes[blanks] != '[') return std::unexpected(Stop::Invalid);
    const auto size = json::value_size(bytes.substr(0, kMaxDocument));
    if (size) return Unit{.size = *size, .front = *size};
    if (size.error() == Stop::Invalid) return std::unexpected(Stop::Invalid);
    if (!is_final && bytes.size() < kMaxDocument) return std::unexpected(Stop::NeedMore);
    // What is here may say all that is told; where the next one begins it does not.
    return Unit{.size = bytes.size(), .front = bytes.size(), .is_cut = true};
}

void Session::on_frame(Half& half, std::string_view front, const Unit& unit, Context& context) {
    if (front.empty()) return;
    const bool has_head = is_headed(front);
    if (has_head) {
        const auto head = read_head(front);
        if (!head) return;
        front.remove_prefix(head->size);
    }
    const auto message_of = [&](std::string_view text) {
        const auto message = json::read_rpc(text);
        if (!message) return;
        if (half.is_answer() && message->is_answer)
            on_answer(half, *message, unit.is_cut && !has_head, context);
        else if (!half.is_answer() && !message->is_answer)
            on_call(half, *message, context);
    };
    std::string_view rest = json::skip_blanks(front);
    if (!rest.starts_with('[')) {
        message_of(rest);
    } else {
        // A batch: each of its elements.
        rest.remove_prefix(1);
        for (;;) {
            rest = trim(rest, " \t\r\n,");
            if (!rest.starts_with('{')) break;
            message_of(rest);
            const auto size = json::value_size(rest);
            if (!size) break;
            rest.remove_prefix(*size);
        }
    }
    if (unit.is_cut && !has_head) {
        context.counts.add(Cause::Hole);
        half.is_lost = true;
    }
}

void Session::on_call(Half& half, const json::RpcMessage& message, Context& context) {
    Open& exchange = open_here(half, context);
    exchange.request.method = message.method;
    exchange.request.id = message.id;
    exchange.request.version = message.version;
    exchange.response = {};
    exchange.request_end_ns = half.stream.time_before(half.passed_to);
    begin(exchange, context);
    if (message.id.empty()) finish(last_key(), exchange, context, exchange.request_end_ns);
}

// is_counted: its frame is counted as a hole.
void Session::on_answer(Half& half, const json::RpcMessage& message, bool is_counted, Context& context) {
    const auto& entries = open_.entries();
    // Where what is told of it was not seen it is the only one's, or nobody's.
    const bool is_nameless = message.id.empty() && !message.is_whole;
    const auto found = std::ranges::find_if(entries, [&](const auto& entry) {
        return is_nameless ? entries.size() == 1 : entry.exchange->request.id == message.id;
    });
    if (found == entries.end()) return context.counts.add(Cause::Unmatched);
    Open& exchange = *found->exchange;
    // … or that of a call that was not seen.
    if (is_nameless && has_missed_calls_) {
        if (!is_counted) context.counts.add(Cause::Hole);
        return drop(found->key, spans::Incomplete::Hole, context);
    }
    answer_here(exchange, half);
    exchange.response = {.error = message.error, .is_known = message.error.has_value() == message.is_error};
    finish(found->key, exchange, context, half.stream.time_before(half.passed_to));
}

void Session::on_whole(Half&, Key, Context&) {}

// In what is missing anything may have been answered.
void Session::on_lost(Half& half, Context& context) {
    if (!half.is_answer()) {
        has_missed_calls_ = true;
        return;
    }
    while (open_.size() > 0) drop(open_.entries().front().key, spans::Incomplete::Hole, context);
}

void Codec::describe(const Exchange<Codec>& exchange, const ConnectionInfo& info, const Options&,
                     spans::SpanBatch& batch, spans::Span& span) {
    span.span_class = spans::SpanClass::Rpc;
    span.protocol = kJsonRpc.name;
    spans::Attributes& attributes = span.attributes;
    attributes.add(attr::rpc_system_name, std::string_view("jsonrpc"));
    span.name = batch.text(exchange.request.method);
    attributes.add(attr::rpc_method, span.name);
    attributes.add(attr::jsonrpc_protocol_version, batch.text(exchange.request.version));
    if (!exchange.request.id.empty())
        attributes.add(attr::jsonrpc_request_id, batch.text(json::plain_id(exchange.request.id)));
    std::string_view error;
    if (exchange.response.error) {
        error = batch.text(std::to_string(*exchange.response.error));
        attributes.add(attr::rpc_response_status_code, error);
    } else if (exchange.has_response && !exchange.response.is_known) {
        attributes.add(attr::waggle_unknown, attr::rpc_response_status_code);
    } else if (span.incomplete == spans::Incomplete::Closed) {
        error = "connection_closed";
    }
    if (!error.empty()) {
        span.status = spans::Status::Error;
        attributes.add(attr::error_type, error);
    }
    describe_peers(info, batch, attributes);
}

// A whole call, or answer, or what begins like one and has not been refuted.
Sniff sniff(std::string_view bytes, Side side) {
    if (bytes.empty()) return Sniff::NeedMore;
    std::string_view text = bytes;
    if (is_headed(bytes)) {
        const auto head = read_head(bytes);
        if (!head) return head.error() == Stop::NeedMore ? Sniff::NeedMore : Sniff::No;
        text.remove_prefix(head->size);
        if (text.empty()) return Sniff::NeedMore;
    }
    if (!text.starts_with('{') && !text.starts_with('[')) return Sniff::No;
    const auto message = json::read_rpc(text);
    // Version 1 has no mark of its own: only a whole call or answer behind a head says enough.
    const bool is_marked = message && (message->version == "2.0" || (text.size() < bytes.size() && message->is_whole));
    const bool is_ours = is_marked && message->is_answer == (side == Side::Response);
    if (is_ours && (side == Side::Response ? !message->id.empty() : !message->method.empty())) return Sniff::Yes;
    const auto size = json::value_size(text.substr(0, 4096));
    return !size && size.error() == Stop::NeedMore && text.size() < 4096 ? Sniff::NeedMore : Sniff::No;
}

namespace {

std::unique_ptr<protocols::Session> open_session(const ConnectionInfo& info, Streams& streams, Direction requests) {
    return std::make_unique<Session>(info, streams, requests);
}

}  // namespace

const Protocol kJsonRpc{.name = "jsonrpc", .sniff = sniff, .open = open_session};

}  // namespace waggle::protocols::jsonrpc
