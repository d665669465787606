// SPDX-License-Identifier: Apache-2.0
#include "agent/record_facts.h"

#include <nlohmann/json.hpp>

namespace waggle::agent {
namespace {

using Json = nlohmann::ordered_json;

bool may_tell_secrets(std::string_view attribute) {
    return attribute.starts_with("process.command") || attribute == "process.executable.path" ||
           attribute == "process.owner";
}

// Names are bytes of strangers: what is no UTF-8 is replaced, never thrown over.
std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::optional<Json> parse(std::string_view text) {
    Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) return std::nullopt;
    return json;
}

std::string text_of(const Json& json, const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

template <typename T>
T number_of(const Json& json, const char* key, T otherwise) {
    const auto found = json.find(key);
    return found != json.end() && found->is_number_integer() ? found->get<T>() : otherwise;
}

}  // namespace

std::string process_fact(const discover::Target& target, bool is_masked) {
    const spans::Resource& resource = *target.resource;
    Json json{{"pid", target.pid},
              {"start_ns", target.start_ns},
              {"language", target.language},
              {"service", resource.service_name},
              {"namespace", resource.service_namespace},
              {"instance", resource.instance_id},
              {"sdk_language", resource.language},
              {"attributes", Json::object()}};
    for (const auto& [key, value] : resource.attributes)
        if (!is_masked || !may_tell_secrets(key)) json["attributes"][key] = value;
    return dump(json);
}

std::optional<discover::Target> read_process_fact(std::string_view text) {
    const auto json = parse(text);
    if (!json) return std::nullopt;
    auto resource = std::make_shared<spans::Resource>();
    resource->service_name = text_of(*json, "service");
    resource->service_namespace = text_of(*json, "namespace");
    resource->instance_id = text_of(*json, "instance");
    resource->language = text_of(*json, "sdk_language");
    if (const auto found = json->find("attributes"); found != json->end() && found->is_object())
        for (const auto& [key, value] : found->items())
            if (value.is_string()) resource->attributes.emplace_back(key, value.get<std::string>());
    discover::Target target;
    target.pid = number_of<std::uint32_t>(*json, "pid", 0);
    target.start_ns = number_of<std::uint64_t>(*json, "start_ns", 0);
    target.language = text_of(*json, "language");
    target.resource = std::move(resource);
    return target;
}

std::string settings_fact(const RecordSettings& settings) {
    const protocols::TrackerConfig& tracker = settings.tracker;
    return dump({{"seed", tracker.seed},
                 {"max_connections", tracker.max_connections},
                 {"http_request_timeout_ns", tracker.options.http_request_timeout_ns},
                 {"max_exchange_age_ns", tracker.options.max_exchange_age_ns},
                 {"sensitive_query_params", tracker.options.sensitive_query_params},
                 {"sanitizes_queries", tracker.options.sanitizes_queries},
                 {"wants_traces", tracker.options.wants_traces},
                 {"wall_offset_ns", settings.wall_offset_ns}});
}

std::optional<RecordSettings> read_settings_fact(std::string_view text) {
    const auto json = parse(text);
    if (!json) return std::nullopt;
    RecordSettings settings;
    protocols::TrackerConfig& tracker = settings.tracker;
    tracker.seed = number_of(*json, "seed", tracker.seed);
    tracker.max_connections = number_of(*json, "max_connections", tracker.max_connections);
    protocols::Options& options = tracker.options;
    options.http_request_timeout_ns = number_of(*json, "http_request_timeout_ns", options.http_request_timeout_ns);
    options.max_exchange_age_ns = number_of(*json, "max_exchange_age_ns", options.max_exchange_age_ns);
    if (const auto found = json->find("sensitive_query_params"); found != json->end() && found->is_array())
        for (const Json& name : *found)
            if (name.is_string()) options.sensitive_query_params.push_back(name.get<std::string>());
    if (const auto found = json->find("sanitizes_queries"); found != json->end() && found->is_boolean())
        options.sanitizes_queries = found->get<bool>();
    if (const auto found = json->find("wants_traces"); found != json->end() && found->is_boolean())
        options.wants_traces = found->get<bool>();
    settings.wall_offset_ns = number_of(*json, "wall_offset_ns", std::int64_t{0});
    return settings;
}

}  // namespace waggle::agent
