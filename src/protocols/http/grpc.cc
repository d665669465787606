// SPDX-License-Identifier: Apache-2.0
#include "protocols/http/grpc.h"

#include <algorithm>

#include "base/strings.h"
#include "protocols/http/describe.h"
#include "spans/attribute_names.h"
#include "spans/grpc_codes.h"

namespace waggle::protocols::http {
namespace {

constexpr std::string_view kType = "application/grpc";
constexpr std::string_view kWebType = "application/grpc-web";
constexpr std::string_view kWebTextType = "application/grpc-web-text";
constexpr std::size_t kMaxTrailers = 1024;
constexpr unsigned char kTrailersFlag = 0x80;

bool is_error(unsigned code, bool is_client) {
    if (is_client) return code != 0;
    return code == spans::kGrpcUnknown || code == spans::kGrpcDeadlineExceeded || code == spans::kGrpcUnimplemented ||
           code == spans::kGrpcInternal || code == spans::kGrpcUnavailable || code == spans::kGrpcDataLoss;
}

// A type with what may follow its name.
bool is_type(std::string_view type, std::string_view name, std::string_view next) {
    if (!type.starts_with(name)) return false;
    type.remove_prefix(name.size());
    return type.empty() || next.find(type[0]) != std::string_view::npos;
}

}  // namespace

bool is_grpc_type(std::string_view type) { return is_type(type, kType, "+;- "); }

bool is_grpc_web_type(std::string_view type) { return is_type(type, kWebType, "+; ") || is_grpc_web_text(type); }

bool is_grpc_web_text(std::string_view type) { return is_type(type, kWebTextType, "+; "); }

unsigned parse_grpc_status(std::string_view text) { return parse_int<unsigned>(text).value_or(spans::kGrpcUnknown); }

std::string_view grpc_status_text(unsigned code) {
    return code < spans::kGrpcCodes.size() ? spans::kGrpcCodes[code] : std::string_view{};
}

void GrpcWebTrailers::clear() {
    have_ = 0;
    left_ = 0;
    is_trailers_ = is_lost_ = is_text_ = false;
    decoder_ = {};
    trailers_.clear();
}

void GrpcWebTrailers::end_head() {
    have_ = 0;
    for (std::size_t i = 1; i < kHead; ++i) left_ = left_ << 8 | static_cast<unsigned char>(head_[i]);
    is_trailers_ = static_cast<unsigned char>(head_[0]) & kTrailersFlag;
    // Nothing follows them, and compressed ones are not read.
    is_lost_ |= static_cast<unsigned char>(head_[0]) & ~kTrailersFlag & (is_trailers_ ? 0xff : 0xfe);
}

void GrpcWebTrailers::add(std::string_view bytes) {
    if (!is_text_) return read(bytes);
    std::string decoded;
    const bool is_base64 = decoder_.add(bytes, decoded);
    read(decoded);
    is_lost_ |= !is_base64;
}

void GrpcWebTrailers::read(std::string_view bytes) {
    while (!bytes.empty() && !is_lost_) {
        std::size_t size = 0;
        if (left_) {
            size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
            if (is_trailers_)
                trailers_ += bytes.substr(0, std::min(size, kMaxTrailers - std::min(kMaxTrailers, trailers_.size())));
            left_ -= size;
        } else {
            size = std::min(kHead - have_, bytes.size());
            std::copy_n(bytes.begin(), size, head_.begin() + static_cast<std::ptrdiff_t>(have_));
            have_ += size;
            if (have_ == kHead) end_head();
        }
        bytes.remove_prefix(size);
    }
}

void GrpcWebTrailers::skip(std::uint64_t size) {
    if (!size) return;
    // Nobody knows where padding stood in what was base64.
    is_lost_ |= size > left_ || is_trailers_ || is_text_;
    left_ -= std::min(left_, size);
}

std::optional<std::string_view> GrpcWebTrailers::status() const {
    if (is_lost_ || !is_trailers_) return {};
    for (std::string_view rest = trailers_; !rest.empty();) {
        const std::size_t end = rest.find('\n');
        if (end == std::string_view::npos && left_) return {};
        const std::string_view line = rest.substr(0, end);
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
        const std::size_t colon = line.find(':');
        if (colon != std::string_view::npos && equals_ignoring_case(trim(line.substr(0, colon)), "grpc-status"))
            return trim(line.substr(colon + 1));
    }
    return {};
}

void describe_grpc(const GrpcFacts& facts, const ExchangeState& exchange, const ConnectionInfo& info,
                   spans::SpanBatch& batch, spans::Span& span) {
    span.span_class = spans::SpanClass::Rpc;
    span.protocol = facts.protocol;
    span.instrumentation = "grpc";
    span.name = "grpc";
    spans::Attributes& attributes = span.attributes;
    attributes.add(attr::rpc_system_name, std::string_view("grpc"));
    if (const std::string_view path = keep(facts.path, batch); path.size() > 1) {
        span.name = path.substr(path[0] == '/' ? 1 : 0);
        attributes.add(attr::rpc_method, span.name);
        attributes.add(attr::url_path, path);
    }
    std::string_view error = facts.failure;
    if (facts.code) {
        std::string_view text = grpc_status_text(*facts.code);
        if (text.empty()) text = keep(facts.code_text, batch);
        if (!text.empty()) attributes.add(attr::rpc_response_status_code, text);
        error = {};
        if (is_error(*facts.code, info.role == Role::Client)) error = text.empty() ? std::string_view("_OTHER") : text;
    }
    if (!error.empty()) {
        span.status = spans::Status::Error;
        attributes.add(attr::error_type, error);
    }
    describe_addresses(info, parse_authority(facts.authority), true, batch, span);
    attributes.add(attr::network_protocol_name, std::string_view("http"));
    attributes.add(attr::network_protocol_version, facts.version);
    if (exchange.header && !facts.tracestate.empty()) span.trace_state = keep(facts.tracestate, batch);
}

}  // namespace waggle::protocols::http
