// SPDX-License-Identifier: Apache-2.0
// Field numbers of the OpenTelemetry protocol (opentelemetry-proto 1.x), one enum per message.
#pragma once

#include <cstdint>

namespace waggle::otlp::field {

namespace request {  // ExportTraceServiceRequest and ExportMetricsServiceRequest
inline constexpr std::uint32_t kResources = 1;
}
namespace response {  // Export…ServiceResponse, Export…PartialSuccess
inline constexpr std::uint32_t kPartialSuccess = 1;
inline constexpr std::uint32_t kRejected = 1;
inline constexpr std::uint32_t kErrorMessage = 2;
}  // namespace response
namespace by_resource {  // ResourceSpans and ResourceMetrics
inline constexpr std::uint32_t kResource = 1;
inline constexpr std::uint32_t kScopes = 2;
}  // namespace by_resource
namespace by_scope {  // ScopeSpans and ScopeMetrics
inline constexpr std::uint32_t kScope = 1;
inline constexpr std::uint32_t kItems = 2;
}  // namespace by_scope
namespace resource {
inline constexpr std::uint32_t kAttributes = 1;
}
namespace scope {
inline constexpr std::uint32_t kName = 1;
inline constexpr std::uint32_t kVersion = 2;
}  // namespace scope
namespace key_value {
inline constexpr std::uint32_t kKey = 1;
inline constexpr std::uint32_t kValue = 2;
}  // namespace key_value
namespace any_value {
inline constexpr std::uint32_t kString = 1;
inline constexpr std::uint32_t kBool = 2;
inline constexpr std::uint32_t kInt = 3;
inline constexpr std::uint32_t kDouble = 4;
}  // namespace any_value
namespace span {
inline constexpr std::uint32_t kTraceId = 1;
inline constexpr std::uint32_t kSpanId = 2;
inline constexpr std::uint32_t kTraceState = 3;
inline constexpr std::uint32_t kParentSpanId = 4;
inline constexpr std::uint32_t kName = 5;
inline constexpr std::uint32_t kKind = 6;
inline constexpr std::uint32_t kStart = 7;
inline constexpr std::uint32_t kEnd = 8;
inline constexpr std::uint32_t kAttributes = 9;
inline constexpr std::uint32_t kLinks = 13;
inline constexpr std::uint32_t kStatus = 15;
inline constexpr std::uint32_t kFlags = 16;
}  // namespace span
namespace link {
inline constexpr std::uint32_t kTraceId = 1;
inline constexpr std::uint32_t kSpanId = 2;
}  // namespace link
namespace status {
inline constexpr std::uint32_t kCode = 3;
}
namespace metric {
inline constexpr std::uint32_t kName = 1;
inline constexpr std::uint32_t kDescription = 2;
inline constexpr std::uint32_t kUnit = 3;
inline constexpr std::uint32_t kGauge = 5;
inline constexpr std::uint32_t kSum = 7;
inline constexpr std::uint32_t kHistogram = 9;
inline constexpr std::uint32_t kExponential = 10;
}  // namespace metric
namespace data {  // Gauge, Sum, Histogram, ExponentialHistogram
inline constexpr std::uint32_t kPoints = 1;
inline constexpr std::uint32_t kTemporality = 2;
inline constexpr std::uint32_t kIsMonotonic = 3;
}  // namespace data
namespace point {  // times are at the same place in every data point
inline constexpr std::uint32_t kStart = 2;
inline constexpr std::uint32_t kTime = 3;
}  // namespace point
namespace number {
inline constexpr std::uint32_t kDouble = 4;
inline constexpr std::uint32_t kExemplars = 5;
inline constexpr std::uint32_t kInt = 6;
inline constexpr std::uint32_t kAttributes = 7;
}  // namespace number
namespace histogram {
inline constexpr std::uint32_t kCount = 4;
inline constexpr std::uint32_t kSum = 5;
inline constexpr std::uint32_t kBucketCounts = 6;
inline constexpr std::uint32_t kBounds = 7;
inline constexpr std::uint32_t kExemplars = 8;
inline constexpr std::uint32_t kAttributes = 9;
inline constexpr std::uint32_t kMin = 11;
inline constexpr std::uint32_t kMax = 12;
}  // namespace histogram
namespace exponential {
inline constexpr std::uint32_t kAttributes = 1;
inline constexpr std::uint32_t kCount = 4;
inline constexpr std::uint32_t kSum = 5;
inline constexpr std::uint32_t kScale = 6;
inline constexpr std::uint32_t kZeroCount = 7;
inline constexpr std::uint32_t kPositive = 8;
inline constexpr std::uint32_t kExemplars = 11;
inline constexpr std::uint32_t kMin = 12;
inline constexpr std::uint32_t kMax = 13;
}  // namespace exponential
namespace buckets {
inline constexpr std::uint32_t kOffset = 1;
inline constexpr std::uint32_t kCounts = 2;
}  // namespace buckets
namespace exemplar {
inline constexpr std::uint32_t kTime = 2;
inline constexpr std::uint32_t kDouble = 3;
inline constexpr std::uint32_t kSpanId = 4;
inline constexpr std::uint32_t kTraceId = 5;
}  // namespace exemplar

}  // namespace waggle::otlp::field
