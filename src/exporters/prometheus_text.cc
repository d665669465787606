// SPDX-License-Identifier: Apache-2.0
// Text format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/) and
// OpenMetrics 1.0.0.
#include <fmt/format.h>

#include <cmath>
#include <iterator>

#include "exporters/prometheus_families.h"

namespace waggle::exporters {
namespace {

using metrics::Kind;

void escape(std::string_view text, bool escapes_quotes, std::string& out) {
    for (const char c : text) {
        if (c == '\\')
            out += "\\\\";
        else if (c == '\n')
            out += "\\n";
        else if (c == '"' && escapes_quotes)
            out += "\\\"";
        else
            out += c;
    }
}

class Writer {
  public:
    Writer(bool is_open_metrics, std::int64_t wall_offset_ns)
        : is_open_metrics_(is_open_metrics), wall_offset_ns_(wall_offset_ns) {}

    void family(const Family& family) {
        // OpenMetrics names a family without the suffix of its samples.
        std::string_view name = family.name;
        if (is_open_metrics_ && family.kind == Kind::Counter) name.remove_suffix(6);
        if (is_open_metrics_ && family.is_info) name.remove_suffix(5);
        header("HELP", name, family.help, is_open_metrics_);
        header("TYPE", name, type(family), false);
        if (is_open_metrics_ && !family.unit.empty() && name.ends_with("_" + family.unit))
            header("UNIT", name, family.unit, false);
        for (const Sample& sample : family.samples) write(family, sample);
    }

    std::string take() {
        if (is_open_metrics_) out_ += "# EOF\n";
        return std::move(out_);
    }

  private:
    std::string_view type(const Family& family) const {
        if (family.is_info && is_open_metrics_) return "info";
        if (family.kind == Kind::Counter) return "counter";
        return family.kind == Kind::Histogram ? "histogram" : "gauge";
    }

    void header(std::string_view what, std::string_view name, std::string_view text, bool escapes_quotes) {
        if (text.empty()) return;
        out_.append("# ").append(what).append(" ").append(name).append(" ");
        escape(text, escapes_quotes, out_);
        out_ += '\n';
    }

    void write(const Family& family, const Sample& sample) {
        labels_.clear();
        for (const auto& [name, value] : sample.labels) {
            labels_.append(labels_.empty() ? "" : ",").append(name).append("=\"");
            escape(value, true, labels_);
            labels_ += '"';
        }
        if (family.kind == Kind::Histogram)
            histogram(family, *sample.point);
        else
            line(family.name, "", {}, sample.point->value,
                 family.kind == Kind::Counter ? sample.point->exemplar : std::nullopt);
    }

    void histogram(const Family& family, const metrics::Point& point) {
        const metrics::HistogramPoint& histogram = point.histogram;
        std::uint64_t sum = 0;
        double low = -INFINITY;
        for (std::size_t i = 0; i < family.bounds.size() && i < histogram.counts.size(); ++i) {
            sum += histogram.counts[i];
            bucket(family.name, family.bounds[i], low, sum, point.exemplar);
            low = family.bounds[i];
        }
        bucket(family.name, INFINITY, low, histogram.count, point.exemplar);
        line(family.name, "_sum", {}, histogram.sum, {});
        line(family.name, "_count", {}, static_cast<double>(histogram.count), {});
    }

    void bucket(std::string_view name, double bound, double low, std::uint64_t count,
                const std::optional<metrics::Exemplar>& exemplar) {
        const bool is_here = exemplar && exemplar->value > low && exemplar->value <= bound;
        line(name, "_bucket", number(bound, is_open_metrics_), static_cast<double>(count),
             is_here ? exemplar : std::nullopt);
    }

    void line(std::string_view name, std::string_view suffix, std::string_view le, double value,
              const std::optional<metrics::Exemplar>& exemplar) {
        out_.append(name).append(suffix);
        if (!labels_.empty() || !le.empty()) {
            out_.append("{").append(labels_);
            if (!le.empty()) out_.append(labels_.empty() ? "le=\"" : ",le=\"").append(le).append("\"");
            out_ += '}';
        }
        out_.append(" ").append(number(value, false));
        if (exemplar && is_open_metrics_) append(*exemplar);
        out_ += '\n';
    }

    void append(const metrics::Exemplar& exemplar) {
        char trace[32];
        char span[16];
        spans::write_hex(exemplar.trace_id.bytes.data(), 16, trace);
        spans::write_hex(exemplar.span_id.bytes.data(), 8, span);
        const double time = static_cast<double>(static_cast<std::int64_t>(exemplar.time_ns) + wall_offset_ns_) * 1e-9;
        fmt::format_to(std::back_inserter(out_), " # {{trace_id=\"{}\",span_id=\"{}\"}} {} {:.3f}",
                       std::string_view(trace, 32), std::string_view(span, 16), exemplar.value, time);
    }

    // OpenMetrics wants bounds as floats: 1.0.
    static std::string number(double value, bool is_bound) {
        if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
        if (std::isnan(value)) return "NaN";
        if (std::abs(value) < 1e15 && value == std::trunc(value))
            return fmt::format("{}{}", static_cast<std::int64_t>(value), is_bound ? ".0" : "");
        return fmt::format("{}", value);
    }

    bool is_open_metrics_;
    std::int64_t wall_offset_ns_;
    std::string out_;
    std::string labels_;
};

}  // namespace

std::string write_text(const Families& families, bool is_open_metrics, std::int64_t wall_offset_ns) {
    Writer writer(is_open_metrics, wall_offset_ns);
    for (const Family& family : families.list) writer.family(family);
    return writer.take();
}

}  // namespace waggle::exporters
