// SPDX-License-Identifier: Apache-2.0
// OTLP/gRPC (https://opentelemetry.io/docs/specs/otlp/#otlpgrpc) without a gRPC library.
#include <fmt/format.h>

#include "base/clock.h"
#include "base/secrets.h"
#include "exporters/grpc.h"
#include "exporters/otlp.h"
#include "http/gzip.h"
#include "otlp/encode.h"

namespace waggle::exporters {
namespace {

constexpr std::string_view kTraces = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
constexpr std::string_view kMetrics = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

// scheme://host:port without a path; a target without scheme is plaintext only when told so.
std::string base_url(const config::OtlpConfig& target) {
    std::string url = target.endpoint;
    if (url.find("://") == std::string::npos) url.insert(0, target.tls.insecure ? "http://" : "https://");
    const std::size_t path = url.find('/', url.find("://") + 3);
    return url.substr(0, path);
}

class OtlpGrpc : public Exporter {
  public:
    OtlpGrpc(OtlpOptions options, std::string base, http::Client client)
        : options_(std::move(options)), base_(std::move(base)), client_(std::move(client)) {}

    std::string_view name() const override { return "otlp_grpc"; }

    Outcome spans(const spans::SpanBatch& batch) override {
        return call(kTraces,
                    otlp::spans_to_protobuf(batch, {.profile = options_.profile, .wall_offset_ns = wall_offset_ns()}));
    }

    Outcome metrics(const metrics::Snapshot& snapshot) override {
        return call(kMetrics, otlp::metrics_to_protobuf(snapshot, options_.profile));
    }

    void cancel() override { client_.cancel(); }

  private:
    Outcome call(std::string_view method, std::string message) {
        const bool is_compressed = options_.target.gzip;
        if (is_compressed) message = http::gzip(message);
        const std::string body = grpc_frame(message, is_compressed);
        const auto timeout = std::chrono::ceil<std::chrono::milliseconds>(options_.target.timeout).count();

        http::ClientRequest request{.url = base_ + std::string(method), .body = body};
        request.headers = {{"content-type", "application/grpc"},
                           {"te", "trailers"},
                           {"grpc-accept-encoding", "identity,gzip"},
                           {"grpc-timeout", grpc_timeout(timeout)}};
        if (is_compressed) request.headers.emplace_back("grpc-encoding", "gzip");
        for (const auto& header : options_.target.headers) request.headers.push_back(header);

        const auto response = client_.send(request);
        if (!response) {
            const std::string text = fmt::format("{}: {}", mask_url(base_), response.error().message);
            return response.error().code == EINVAL ? Outcome::permanent(text) : Outcome::retry(text);
        }
        return judge(*response);
    }

    // At most eight digits are allowed: whole seconds where milliseconds need more.
    static std::string grpc_timeout(std::int64_t milliseconds) {
        if (milliseconds < 100'000'000) return fmt::format("{}m", milliseconds);
        return fmt::format("{}S", milliseconds / 1000);
    }

    Outcome judge(const http::ClientResponse& response) const {
        const GrpcStatus status = grpc_status(response);
        if (status.code == 0) {
            const auto message = grpc_message(response.body);
            const auto partial = message ? otlp::read_partial_success(*message) : std::nullopt;
            if (partial) return Outcome::partly(partial->rejected, partial->message);
            return Outcome::accepted();
        }
        const std::string text = fmt::format("{}: gRPC status {} {}", mask_url(base_), status.code, status.message);
        if (!grpc_may_retry(status)) return Outcome::permanent(text);
        return Outcome::retry(text, status.retry_delay);
    }

    OtlpOptions options_;
    std::string base_;
    http::Client client_;
};

}  // namespace

Result<std::unique_ptr<Exporter>> make_otlp_grpc(OtlpOptions options) {
    std::string base = base_url(options.target);
    const auto version = base.starts_with("https:") ? http::Version::Http2 : http::Version::Http2PriorKnowledge;
    http::Client client = TRY(http::Client::create(client_options(options, version)));
    return std::make_unique<OtlpGrpc>(std::move(options), std::move(base), std::move(client));
}

}  // namespace waggle::exporters
