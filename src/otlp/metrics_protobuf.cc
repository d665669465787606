// SPDX-License-Identifier: Apache-2.0
#include "otlp/encode.h"
#include "otlp/model.h"
#include "otlp/protobuf.h"

namespace waggle::otlp {
namespace {

using metrics::Metric;
using metrics::Point;
using protozero::pbf_writer;

class Writer {
  public:
    explicit Writer(std::int64_t wall_offset_ns) : offset_(wall_offset_ns) {}

    void metric(pbf_writer& parent, const Metric& from) const {
        pbf_writer to(parent, field::by_scope::kItems);
        add_text(to, field::metric::kName, from.name);
        if (!from.description.empty()) add_text(to, field::metric::kDescription, from.description);
        if (!from.unit.empty()) add_text(to, field::metric::kUnit, from.unit);
        switch (from.kind) {
            case metrics::Kind::Gauge:
                return numbers(pbf_writer(to, field::metric::kGauge), from);
            case metrics::Kind::Counter:
            case metrics::Kind::UpDownCounter:
                return sum(pbf_writer(to, field::metric::kSum), from);
            case metrics::Kind::Histogram:
                if (is_exponential(from)) return exponentials(pbf_writer(to, field::metric::kExponential), from);
                return histograms(pbf_writer(to, field::metric::kHistogram), from);
        }
    }

  private:
    void times(pbf_writer& to, const Point& point) const {
        to.add_fixed64(field::point::kStart, wall(point.start_ns, offset_));
        to.add_fixed64(field::point::kTime, wall(point.time_ns, offset_));
    }

    static void attributes(pbf_writer& to, std::uint32_t tag, const Point& point) {
        for (const spans::Attribute& attribute : point.attributes) add_attribute(to, tag, attribute);
    }

    void exemplar(pbf_writer& parent, std::uint32_t tag, const Point& point) const {
        if (!point.exemplar) return;
        pbf_writer to(parent, tag);
        to.add_fixed64(field::exemplar::kTime, wall(point.exemplar->time_ns, offset_));
        to.add_double(field::exemplar::kDouble, point.exemplar->value);
        add_id(to, field::exemplar::kSpanId, point.exemplar->span_id);
        add_id(to, field::exemplar::kTraceId, point.exemplar->trace_id);
    }

    void numbers(pbf_writer to, const Metric& from) const {
        namespace f = field::number;
        for (const Point& point : from.points) {
            pbf_writer writer(to, field::data::kPoints);
            times(writer, point);
            if (from.is_integer)
                writer.add_sfixed64(f::kInt, static_cast<std::int64_t>(point.value));
            else
                writer.add_double(f::kDouble, point.value);
            exemplar(writer, f::kExemplars, point);
            attributes(writer, f::kAttributes, point);
        }
    }

    void sum(pbf_writer to, const Metric& from) const {
        to.add_enum(field::data::kTemporality, temporality(from));
        to.add_bool(field::data::kIsMonotonic, from.kind == metrics::Kind::Counter);
        numbers(std::move(to), from);
    }

    void histograms(pbf_writer to, const Metric& from) const {
        namespace f = field::histogram;
        for (const Point& point : from.points) {
            const metrics::HistogramPoint& value = point.histogram;
            pbf_writer writer(to, field::data::kPoints);
            times(writer, point);
            writer.add_fixed64(f::kCount, value.count);
            writer.add_double(f::kSum, value.sum);
            writer.add_packed_fixed64(f::kBucketCounts, value.counts.begin(), value.counts.end());
            writer.add_packed_double(f::kBounds, from.bounds.begin(), from.bounds.end());
            exemplar(writer, f::kExemplars, point);
            attributes(writer, f::kAttributes, point);
            writer.add_double(f::kMin, value.min);
            writer.add_double(f::kMax, value.max);
        }
        to.add_enum(field::data::kTemporality, temporality(from));
    }

    void exponentials(pbf_writer to, const Metric& from) const {
        namespace f = field::exponential;
        for (const Point& point : from.points) {
            const metrics::HistogramPoint& value = point.histogram;
            if (!value.exponential) continue;
            pbf_writer writer(to, field::data::kPoints);
            attributes(writer, f::kAttributes, point);
            times(writer, point);
            writer.add_fixed64(f::kCount, value.count);
            writer.add_double(f::kSum, value.sum);
            writer.add_sint32(f::kScale, value.exponential->scale);
            writer.add_fixed64(f::kZeroCount, value.exponential->zero_count);
            {
                const auto& counts = value.exponential->counts;
                pbf_writer positive(writer, f::kPositive);
                positive.add_sint32(field::buckets::kOffset, value.exponential->offset);
                positive.add_packed_uint64(field::buckets::kCounts, counts.begin(), counts.end());
            }
            exemplar(writer, f::kExemplars, point);
            writer.add_double(f::kMin, value.min);
            writer.add_double(f::kMax, value.max);
        }
        to.add_enum(field::data::kTemporality, temporality(from));
    }

    std::int64_t offset_;
};

}  // namespace

std::string metrics_to_protobuf(const metrics::Snapshot& snapshot, metrics::Profile profile) {
    std::string data;
    data.reserve(snapshot.points() * 512);
    pbf_writer request(data);
    const Writer writer(snapshot.wall_offset_ns);
    for (const metrics::ResourceMetrics& group : snapshot.resources) {
        pbf_writer resource_metrics(request, field::request::kResources);
        add_resource(resource_metrics, resource_attributes(group.resource.get(), profile));
        pbf_writer scope_metrics(resource_metrics, field::by_resource::kScopes);
        add_scope(scope_metrics, metric_scope(profile));
        for (const Metric& metric : group.metrics) writer.metric(scope_metrics, metric);
    }
    return data;
}

}  // namespace waggle::otlp
