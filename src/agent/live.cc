// SPDX-License-Identifier: Apache-2.0
#include "agent/live.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "agent/cpu_steps.h"
#include "agent/status_page.h"
#include "http/client.h"

namespace waggle::agent {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::milliseconds kTimeout{5000};
constexpr std::array<std::pair<const char*, const char*>, 5> kEnds{{{"exported", "EXPORTED"},
                                                                    {"sampled_out", "SAMPLED OUT"},
                                                                    {"aggregated", "METRICS ONLY"},
                                                                    {"filtered", "FILTERED"},
                                                                    {"unowned", "UNOWNED"}}};

std::int64_t number(const Json& of, const std::string& key) {
    const auto found = of.find(key);
    return found != of.end() && found->is_number() ? found->get<std::int64_t>() : 0;
}

std::string row_of(std::string_view name, const Json& one) {
    const Json ends = one.value("ended", Json::object());
    std::string text = fmt::format("  {:<14} {:>10}", name, number(one, "seen"));
    for (const auto& [key, title] : kEnds) text += fmt::format(" {:>12}", number(ends, key));
    return text + fmt::format(" {:>8} {:>9} {:>11}\n", number(ends, "channel_full"), number(one, "in_flight"),
                              number(one, "unaccounted"));
}

std::string books_of(const Json& status) {
    std::string text = fmt::format("\nRequests\n  {:<14} {:>10}", "PROTOCOL", "SEEN");
    for (const auto& [key, title] : kEnds) text += fmt::format(" {:>12}", title);
    text += fmt::format(" {:>8} {:>9} {:>11}\n", "LOST", "IN FLIGHT", "UNACCOUNTED");
    const Json protocols = status.value("protocols", Json::object());
    for (const auto& [protocol, one] : protocols.items()) text += row_of(protocol, one);
    if (protocols.size() != 1) text += row_of("all", status.value("requests", Json::object()));
    return text;
}

std::string causes_of(const Json& causes) {
    std::vector<std::string> parts;
    for (const auto& [cause, amount] : causes.items())
        parts.push_back(fmt::format("{} {}", amount.get<std::int64_t>(), cause));
    return parts.empty() ? "none" : fmt::format("{}", fmt::join(parts, ", "));
}

std::int64_t total_of(const Json& causes) {
    std::int64_t total = 0;
    for (const auto& [cause, amount] : causes.items()) total += amount.get<std::int64_t>();
    return total;
}

std::string losses_of(const Json& status) {
    // What no event tells of is known in turns: who sends several requests in one go has sent one.
    const Json missed = status.value("requests_missed", Json::object());
    std::string text = fmt::format("\nNot seen        {} turns of requests and {} bytes: {}\n", total_of(missed),
                                   total_of(status.value("bytes_missed", Json::object())), causes_of(missed));
    if (const std::int64_t counted = number(status, "requests_counted"))
        text += fmt::format("Counted only    {}\n", counted);
    text += fmt::format("Turns not read  {}\n",
                        causes_of(status.value("requests", Json::object()).value("turns_lost", Json::object())));
    const Json sent = status.value("export", Json::object());
    text += fmt::format("Spans           {} sent, {} queued, dropped: {}\n", number(sent, "spans_sent"),
                        number(sent, "spans_queued"), causes_of(sent.value("spans_dropped", Json::object())));
    const Json losses = status.value("losses", Json::array());
    if (losses.empty()) return text + "\nNothing is lost.\n";
    text += "\nLost\n";
    for (const Json& loss : losses)
        text += fmt::format("  {:>10} {:<13} {:<20} {}\n", number(loss, "amount"), loss.value("what", ""),
                            loss.value("cause", ""), loss.value("hint", ""));
    return text;
}

std::string budget_of(const Json& budget) {
    constexpr double kMiB = 1024 * 1024;
    const std::int64_t step = number(budget, "overload_step");
    const std::int64_t pressure = number(budget, "memory_pressure");
    std::string text = fmt::format("\nBudget\n  memory     {:.0f} of {:.0f} MiB{}\n",
                                   static_cast<double>(number(budget, "memory_used")) / kMiB,
                                   static_cast<double>(number(budget, "memory_limit")) / kMiB,
                                   pressure == 0   ? ""
                                   : pressure == 1 ? ": no metric series are added"
                                                   : ": new connections are not followed");
    text += fmt::format("  processor  {}\n",
                        step <= 0 || step > 3 ? "everything is done" : describe(static_cast<Step>(step)));
    return text;
}

std::string text_of(const Json& status) {
    std::string text =
        fmt::format("waggle {}, pid {}, for {} s, {}\n", status.value("version", ""), number(status, "pid"),
                    number(status, "uptime_s"), status.value("is_ready", false) ? "attached" : "not attached");
    text += books_of(status);
    text += losses_of(status);
    text += budget_of(status.value("budget", Json::object()));
    text += "\nSensors\n";
    for (const Json& sensor : status.value("sensors", Json::array()))
        text += fmt::format("  {:<12} {:<12} {}\n", sensor.value("name", ""), sensor.value("state", ""),
                            sensor.value("hook", "").empty() ? "-" : "by " + sensor.value("hook", ""));
    return text;
}

// How a client on this host reaches what listens there.
std::string host_of(const std::string& address) {
    if (address.empty() || address == "0.0.0.0" || address == "::") return "127.0.0.1";
    return address.contains(':') ? "[" + address + "]" : address;
}

}  // namespace

std::vector<std::string> status_urls(const config::Config& config) {
    std::vector<std::string> urls;
    const auto add = [&](const std::string& address, std::uint16_t port) {
        if (port) urls.push_back(fmt::format("http://{}:{}{}", host_of(address), port, kStatusPath));
    };
    add(config.prometheus.address, config.prometheus.port);
    add({}, config.health_port);
    add({}, config.internal_metrics.port);
    return urls;
}

Result<LiveReport> read_status(std::string json) {
    const Json status = Json::parse(json, nullptr, false);
    if (!status.is_object() || !status.contains("is_balanced") || !status.contains("pid"))
        return fail("it is no agent's status page");
    LiveReport report;
    try {
        report.pid = static_cast<std::uint32_t>(number(status, "pid"));
        report.is_balanced = status.value("is_balanced", false);
        report.text = text_of(status);
    } catch (const Json::exception& error) {
        return fail(fmt::format("the status page is not readable: {}", error.what()));
    }
    report.json = std::move(json);
    return report;
}

Result<LiveReport> ask_agent(const config::Config& config) {
    const std::vector<std::string> urls = status_urls(config);
    if (urls.empty())
        return fail(
            "the configuration has no port where an agent could be asked: prometheus_export.port or health_port");
    http::Client client = TRY(http::Client::create({.timeout = kTimeout}));
    std::string reasons;
    for (const std::string& url : urls) {
        const auto answer = client.send({.method = "GET", .url = url});
        std::string reason = answer ? fmt::format("status {}", answer->status) : answer.error().message;
        if (answer && answer->status == 200) {
            auto report = read_status(answer->body);
            if (report) return report;
            reason = report.error().message;
        }
        reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", url, reason);
    }
    return fail("no agent answers: " + reasons);
}

}  // namespace waggle::agent
