// SPDX-License-Identifier: Apache-2.0
#include "otlp/encode.h"
#include "otlp/json.h"
#include "otlp/model.h"

namespace waggle::otlp {
namespace {

using metrics::Metric;
using metrics::Point;

class Writer {
  public:
    Writer(JsonWriter& json, std::int64_t wall_offset_ns) : json_(json), offset_(wall_offset_ns) {}

    void metric(const Metric& from) {
        json_.begin_object();
        json_.key("name").text(from.name);
        if (!from.description.empty()) json_.key("description").text(from.description);
        if (!from.unit.empty()) json_.key("unit").text(from.unit);
        json_.key(data_name(from)).begin_object();
        if (from.kind != metrics::Kind::Gauge) json_.key("aggregationTemporality").integer(temporality(from));
        if (from.kind == metrics::Kind::Counter || from.kind == metrics::Kind::UpDownCounter)
            json_.key("isMonotonic").boolean(from.kind == metrics::Kind::Counter);
        json_.key("dataPoints").begin_array();
        for (const Point& at : from.points) point(from, at);
        json_.end_array();
        json_.end_object();
        json_.end_object();
    }

  private:
    static std::string_view data_name(const Metric& from) {
        if (from.kind == metrics::Kind::Gauge) return "gauge";
        if (from.kind != metrics::Kind::Histogram) return "sum";
        return is_exponential(from) ? "exponentialHistogram" : "histogram";
    }

    void point(const Metric& from, const Point& at) {
        json_.begin_object();
        write_attributes(json_, at.attributes);
        json_.key("startTimeUnixNano").long_unsigned(wall(at.start_ns, offset_));
        json_.key("timeUnixNano").long_unsigned(wall(at.time_ns, offset_));
        if (from.kind == metrics::Kind::Histogram)
            histogram(from, at.histogram);
        else if (from.is_integer)
            json_.key("asInt").long_integer(static_cast<std::int64_t>(at.value));
        else
            json_.key("asDouble").number(at.value);
        if (at.exemplar) exemplar(*at.exemplar);
        json_.end_object();
    }

    void histogram(const Metric& from, const metrics::HistogramPoint& at) {
        json_.key("count").long_unsigned(at.count);
        json_.key("sum").number(at.sum);
        json_.key("min").number(at.min);
        json_.key("max").number(at.max);
        if (!is_exponential(from)) {
            counts("bucketCounts", at.counts);
            json_.key("explicitBounds").begin_array();
            for (const double bound : from.bounds) json_.number(bound);
            json_.end_array();
        } else if (at.exponential) {
            json_.key("scale").integer(at.exponential->scale);
            json_.key("zeroCount").long_unsigned(at.exponential->zero_count);
            json_.key("positive").begin_object();
            json_.key("offset").integer(at.exponential->offset);
            counts("bucketCounts", at.exponential->counts);
            json_.end_object();
        }
    }

    void counts(std::string_view key, const std::vector<std::uint64_t>& values) {
        json_.key(key).begin_array();
        for (const std::uint64_t value : values) json_.long_unsigned(value);
        json_.end_array();
    }

    void exemplar(const metrics::Exemplar& from) {
        json_.key("exemplars").begin_array();
        json_.begin_object();
        json_.key("timeUnixNano").long_unsigned(wall(from.time_ns, offset_));
        json_.key("asDouble").number(from.value);
        write_id(json_, "spanId", from.span_id);
        write_id(json_, "traceId", from.trace_id);
        json_.end_object();
        json_.end_array();
    }

    JsonWriter& json_;
    std::int64_t offset_;
};

}  // namespace

std::string metrics_to_json(const metrics::Snapshot& snapshot, metrics::Profile profile) {
    std::string data;
    JsonWriter json(data);
    Writer writer(json, snapshot.wall_offset_ns);
    json.begin_object();
    json.key("resourceMetrics").begin_array();
    for (const metrics::ResourceMetrics& group : snapshot.resources) {
        json.begin_object();
        write_resource(json, resource_attributes(group.resource.get(), profile));
        json.key("scopeMetrics").begin_array();
        json.begin_object();
        write_scope(json, metric_scope(profile));
        json.key("metrics").begin_array();
        for (const Metric& metric : group.metrics) writer.metric(metric);
        json.end_array();
        json.end_object();
        json.end_array();
        json.end_object();
    }
    json.end_array();
    json.end_object();
    return data;
}

}  // namespace waggle::otlp
