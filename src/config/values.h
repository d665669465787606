// SPDX-License-Identifier: Apache-2.0
// Values: the small languages of settings (Go durations, port lists, byte sizes, key=value lists),
// from text and back to text. Errors say what was wrong and what would be right, without file or
// key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "config/config.h"

namespace waggle::config {

using Pairs = std::vector<std::pair<std::string, std::string>>;

// Go: 300ms, 1m30s, 1.5h, 0. Never negative here.
Result<Duration> parse_duration(std::string_view text);
std::string format_duration(Duration duration);  // 1h10m, 500ms, 0s

// Go's strconv.ParseBool: 1 t T TRUE true True 0 f F FALSE false False.
std::optional<bool> parse_bool(std::string_view text);

// "80, 443, 8000 - 8999"; empty text is an error.
Result<PortSet> parse_ports(std::string_view text);
std::string format_ports(const PortSet& ports);

// 1048576, 256MiB, 256Mi, 500MB, 500M, 1G (K, M, G are powers of 1000; Ki, Mi, Gi of 1024).
Result<std::uint64_t> parse_bytes(std::string_view text);
std::string format_bytes(std::uint64_t bytes);

// The OpenTelemetry environment format "a=1,b=x%20y": names trimmed, values percent-decoded.
// Entries that are not name=value are left out and counted.
struct KeyValues {
    Pairs pairs;
    size_t malformed = 0;
};
KeyValues parse_key_values(std::string_view text);

// A comma-separated list, blanks around items and empty items dropped.
std::vector<std::string> parse_list(std::string_view text);

// Beyla's key for a metric named in any notation: http_server_request_duration_seconds_bucket
// → http.server.request.duration.
std::string metric_key(std::string_view name);

// YAML flow text.
std::string quote(std::string_view text);  // plain where that is safe, else in double quotes
std::string quote_list(const std::vector<std::string>& items);

}  // namespace waggle::config
