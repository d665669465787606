// SPDX-License-Identifier: Apache-2.0
// Protobuf exposition: length-delimited io.prometheus.client.MetricFamily messages, the only format
// that carries native histograms. Field numbers are those of prometheus/client_model's
// metrics.proto.
#include <cmath>
#include <limits>
#include <protozero/pbf_writer.hpp>

#include "exporters/prometheus_families.h"

namespace waggle::exporters {
namespace {

using metrics::Kind;
using protozero::pbf_writer;

enum FamilyField : std::uint32_t { kName = 1, kHelp = 2, kType = 3, kMetric = 4, kUnit = 5 };
enum MetricField : std::uint32_t { kLabel = 1, kGauge = 2, kCounter = 3, kHistogram = 7 };
enum HistogramField : std::uint32_t {
    kSampleCount = 1,
    kSampleSum = 2,
    kBucket = 3,
    kSchema = 5,
    kZeroThreshold = 6,
    kZeroCount = 7,
    kPositiveSpan = 12,
    kPositiveDelta = 13,
    kNativeExemplars = 16,
};
enum MetricType : std::int32_t { kTypeCounter = 0, kTypeGauge = 1, kTypeHistogram = 4 };

constexpr std::int32_t kMinSchema = -4;
constexpr std::int32_t kMaxSchema = 8;
constexpr double kNativeZero = 0x1p-128;  // the width that Prometheus' own clients give it

class Writer {
  public:
    Writer(bool has_native, std::int64_t wall_offset_ns) : has_native_(has_native), wall_offset_ns_(wall_offset_ns) {}

    std::string family(const Family& family) const {
        std::string data;
        pbf_writer writer(data);
        writer.add_string(kName, family.name);
        if (!family.help.empty()) writer.add_string(kHelp, family.help);
        writer.add_enum(kType, family.kind == Kind::Counter     ? kTypeCounter
                               : family.kind == Kind::Histogram ? kTypeHistogram
                                                                : kTypeGauge);
        for (const Sample& sample : family.samples) {
            pbf_writer metric(writer, kMetric);
            for (const auto& [name, value] : sample.labels) label(metric, name, value);
            write_value(metric, family, *sample.point);
        }
        if (!family.unit.empty()) writer.add_string(kUnit, family.unit);
        return data;
    }

  private:
    static void label(pbf_writer& parent, std::string_view name, std::string_view value) {
        pbf_writer pair(parent, kLabel);
        pair.add_string(1, name.data(), name.size());
        pair.add_string(2, value.data(), value.size());
    }

    void write_value(pbf_writer& metric, const Family& family, const metrics::Point& point) const {
        if (family.kind == Kind::Histogram) return histogram(metric, family, point);
        pbf_writer value(metric, family.kind == Kind::Counter ? kCounter : kGauge);
        value.add_double(1, point.value);
        if (family.kind == Kind::Counter && point.exemplar) exemplar(value, 2, *point.exemplar);
    }

    void histogram(pbf_writer& metric, const Family& family, const metrics::Point& point) const {
        const metrics::HistogramPoint& from = point.histogram;
        pbf_writer to(metric, kHistogram);
        to.add_uint64(kSampleCount, from.count);
        to.add_double(kSampleSum, from.sum);
        std::uint64_t sum = 0;
        double low = -INFINITY;
        for (std::size_t i = 0; i < family.bounds.size() && i < from.counts.size(); ++i) {
            sum += from.counts[i];
            pbf_writer bucket(to, kBucket);
            bucket.add_uint64(1, sum);
            bucket.add_double(2, family.bounds[i]);
            if (point.exemplar && point.exemplar->value > low && point.exemplar->value <= family.bounds[i])
                exemplar(bucket, 3, *point.exemplar);
            low = family.bounds[i];
        }
        const auto& native = from.exponential;
        if (!has_native_ || !native || native->scale < kMinSchema || native->scale > kMaxSchema) return;
        to.add_sint32(kSchema, native->scale);
        to.add_double(kZeroThreshold, kNativeZero);
        to.add_uint64(kZeroCount, native->zero_count);
        positive(to, *native);
        if (point.exemplar) exemplar(to, kNativeExemplars, *point.exemplar);
    }

    static void positive(pbf_writer& to, const metrics::ExponentialPoint& native) {
        {
            pbf_writer span(to, kPositiveSpan);
            // Prometheus numbers a bucket by its upper bound, OpenTelemetry by its lower. An empty
            // span says that this is a native histogram although it has no bucket.
            span.add_sint32(1, native.counts.empty() ? 0 : native.offset + 1);
            span.add_uint32(2, static_cast<std::uint32_t>(native.counts.size()));
        }
        std::vector<std::int64_t> deltas;
        std::int64_t last = 0;
        for (const std::uint64_t count : native.counts) {
            deltas.push_back(static_cast<std::int64_t>(count) - last);
            last = static_cast<std::int64_t>(count);
        }
        if (!deltas.empty()) to.add_packed_sint64(kPositiveDelta, deltas.begin(), deltas.end());
    }

    void exemplar(pbf_writer& parent, std::uint32_t field, const metrics::Exemplar& from) const {
        char trace[32];
        char span[16];
        spans::write_hex(from.trace_id.bytes.data(), 16, trace);
        spans::write_hex(from.span_id.bytes.data(), 8, span);
        pbf_writer to(parent, field);
        label(to, "trace_id", {trace, 32});
        label(to, "span_id", {span, 16});
        to.add_double(2, from.value);
        const std::int64_t time = static_cast<std::int64_t>(from.time_ns) + wall_offset_ns_;
        pbf_writer timestamp(to, 3);
        timestamp.add_int64(1, time / 1'000'000'000);
        timestamp.add_int32(2, static_cast<std::int32_t>(time % 1'000'000'000));
    }

    bool has_native_;
    std::int64_t wall_offset_ns_;
};

}  // namespace

std::string write_protobuf(const Families& families, bool has_native_histograms, std::int64_t wall_offset_ns) {
    const Writer writer(has_native_histograms, wall_offset_ns);
    std::string out;
    for (const Family& family : families.list) {
        const std::string data = writer.family(family);
        protozero::write_varint(std::back_inserter(out), data.size());
        out += data;
    }
    return out;
}

}  // namespace waggle::exporters
