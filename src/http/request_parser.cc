// SPDX-License-Identifier: Apache-2.0
#include "http/request_parser.h"

#include <fmt/format.h>

#include <iterator>

namespace waggle::http {
namespace {

constexpr std::size_t kMaxHeaders = 100;

std::string_view reason(int status) {
    switch (status) {
        case 200:
            return "OK";
        case 400:
            return "Bad Request";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 411:
            return "Length Required";
        case 413:
            return "Content Too Large";
        case 429:
            return "Too Many Requests";
        case 500:
            return "Internal Server Error";
        case 503:
            return "Service Unavailable";
        case 505:
            return "HTTP Version Not Supported";
        default:
            return "";
    }
}

ParsedRequest invalid(int status) { return {.state = ParsedRequest::State::Invalid, .error_status = status}; }

// "GET /path?query HTTP/1.1"
bool read_request_line(std::string_view line, ParsedRequest& out) {
    const std::vector<std::string_view> parts = split(line, ' ');
    if (parts.size() != 3 || parts[0].empty() || !parts[1].starts_with('/')) return false;
    if (parts[2] != "HTTP/1.1" && parts[2] != "HTTP/1.0") {
        out.error_status = parts[2].starts_with("HTTP/") ? 505 : 400;
        return false;
    }
    out.keeps_alive = parts[2] == "HTTP/1.1";
    out.request.method = parts[0];
    const std::size_t question = parts[1].find('?');
    out.request.path = parts[1].substr(0, question);
    if (question != std::string_view::npos) out.request.query = parts[1].substr(question + 1);
    return true;
}

bool read_headers(std::string_view head, Headers& headers) {
    while (!head.empty()) {
        const std::size_t end = head.find("\r\n");
        const std::string_view line = head.substr(0, end);
        head.remove_prefix(end == std::string_view::npos ? head.size() : end + 2);
        const std::size_t colon = line.find(':');
        if (colon == 0 || colon == std::string_view::npos || line[colon - 1] == ' ') return false;
        if (line.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) return false;
        if (headers.size() == kMaxHeaders) return false;
        headers.emplace_back(line.substr(0, colon), trim(line.substr(colon + 1)));
    }
    return true;
}

}  // namespace

ParsedRequest parse_request(std::string_view bytes, std::size_t max_bytes) {
    const std::size_t head_end = bytes.substr(0, max_bytes).find("\r\n\r\n");
    if (head_end == std::string_view::npos) return bytes.size() >= max_bytes ? invalid(413) : ParsedRequest{};
    ParsedRequest out;
    const std::string_view head = bytes.substr(0, head_end);
    const std::size_t line_end = head.find("\r\n");
    if (!read_request_line(head.substr(0, line_end), out)) return invalid(out.error_status);
    if (line_end != std::string_view::npos && !read_headers(head.substr(line_end + 2), out.request.headers))
        return invalid(400);

    const Headers& headers = out.request.headers;
    if (!find_header(headers, "transfer-encoding").empty()) return invalid(411);
    const std::string_view connection = find_header(headers, "connection");
    if (equals_ignoring_case(connection, "close")) out.keeps_alive = false;

    std::size_t body = 0;
    if (const std::string_view length = find_header(headers, "content-length"); !length.empty()) {
        const auto number = parse_int<std::uint64_t>(length);
        if (!number) return invalid(400);
        if (*number > max_bytes - head_end) return invalid(413);
        body = *number;
    }
    const std::size_t body_from = head_end + 4;
    if (bytes.size() < body_from + body) return {};
    out.request.body = bytes.substr(body_from, body);
    out.length = body_from + body;
    out.state = ParsedRequest::State::Ready;
    return out;
}

std::string write_response_head(const Response& response, bool keeps_alive) {
    std::string head;
    auto to = std::back_inserter(head);
    fmt::format_to(to, "HTTP/1.1 {} {}\r\n", response.status, reason(response.status));
    fmt::format_to(to, "Content-Type: {}\r\n", response.content_type);
    for (const auto& [name, value] : response.headers) fmt::format_to(to, "{}: {}\r\n", name, value);
    fmt::format_to(to, "Content-Length: {}\r\n", response.body.size());
    if (!keeps_alive) head += "Connection: close\r\n";
    head += "\r\n";
    return head;
}

}  // namespace waggle::http
