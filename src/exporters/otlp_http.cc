// SPDX-License-Identifier: Apache-2.0
// OTLP/HTTP (https://opentelemetry.io/docs/specs/otlp/#otlphttp).
#include <fmt/format.h>

#include <ctime>

#include "base/clock.h"
#include "base/secrets.h"
#include "exporters/otlp.h"
#include "http/gzip.h"
#include "http/retry_after.h"
#include "otlp/encode.h"

namespace waggle::exporters {
namespace {

enum class Body : std::uint8_t { Protobuf, Json };

bool may_retry(int status) { return status == 429 || status == 502 || status == 503 || status == 504; }

class OtlpHttp : public Exporter {
  public:
    OtlpHttp(OtlpOptions options, Body body, http::Client client)
        : options_(std::move(options)), body_(body), client_(std::move(client)) {}

    std::string_view name() const override { return body_ == Body::Json ? "otlp_http_json" : "otlp_http"; }

    Outcome spans(const spans::SpanBatch& batch) override {
        const otlp::SpanContext context{.profile = options_.profile, .wall_offset_ns = wall_offset_ns()};
        return send(body_ == Body::Json ? otlp::spans_to_json(batch, context)
                                        : otlp::spans_to_protobuf(batch, context));
    }

    Outcome metrics(const metrics::Snapshot& snapshot) override {
        return send(body_ == Body::Json ? otlp::metrics_to_json(snapshot, options_.profile)
                                        : otlp::metrics_to_protobuf(snapshot, options_.profile));
    }

    void cancel() override { client_.cancel(); }

  private:
    Outcome send(std::string body) {
        http::ClientRequest request{.url = options_.target.endpoint, .headers = options_.target.headers};
        request.headers.emplace_back("Content-Type",
                                     body_ == Body::Json ? "application/json" : "application/x-protobuf");
        if (options_.target.gzip) {
            body = http::gzip(body);
            request.headers.emplace_back("Content-Encoding", "gzip");
        }
        request.body = body;
        const auto response = client_.send(request);
        if (!response) {
            const std::string text =
                fmt::format("{}: {}", mask_url(options_.target.endpoint), response.error().message);
            return response.error().code == EINVAL ? Outcome::permanent(text) : Outcome::retry(text);
        }
        return judge(*response);
    }

    Outcome judge(const http::ClientResponse& response) const {
        if (response.status >= 200 && response.status < 300) {
            const auto partial = body_ == Body::Json ? otlp::read_partial_success_json(response.body)
                                                     : otlp::read_partial_success(response.body);
            if (partial) return Outcome::partly(partial->rejected, partial->message);
            return Outcome::accepted();
        }
        const std::string text = fmt::format("{}: HTTP status {}", mask_url(options_.target.endpoint), response.status);
        if (!may_retry(response.status)) return Outcome::permanent(text);
        return Outcome::retry(
            text, http::parse_retry_after(http::find_header(response.headers, "retry-after"), std::time(nullptr)));
    }

    OtlpOptions options_;
    Body body_;
    http::Client client_;
};

Result<std::unique_ptr<Exporter>> make(OtlpOptions options, Body body) {
    http::Client client = TRY(http::Client::create(client_options(options, http::Version::Http2)));
    return std::make_unique<OtlpHttp>(std::move(options), body, std::move(client));
}

}  // namespace

std::string otlp_user_agent() { return "waggle-otlp-exporter/" WAGGLE_VERSION; }

http::ClientOptions client_options(const OtlpOptions& options, http::Version version) {
    const config::TlsConfig& tls = options.target.tls;
    return {.ca_file = tls.certificate,
            .certificate_file = tls.client_certificate,
            .key_file = tls.client_key,
            .insecure_skip_verify = tls.insecure_skip_verify,
            .version = version,
            .timeout = std::chrono::ceil<std::chrono::milliseconds>(options.target.timeout),
            .user_agent = otlp_user_agent()};
}

Result<std::unique_ptr<Exporter>> make_otlp_http_protobuf(OtlpOptions options) {
    return make(std::move(options), Body::Protobuf);
}

Result<std::unique_ptr<Exporter>> make_otlp_http_json(OtlpOptions options) {
    return make(std::move(options), Body::Json);
}

}  // namespace waggle::exporters
