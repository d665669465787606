// SPDX-License-Identifier: Apache-2.0
#include "discover/describe.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"
#include "config/values.h"

namespace waggle::discover {
namespace {

constexpr size_t kMaxCommand = 4096;
constexpr size_t kMaxPasswd = 256 * 1024;

// The service's own: they are members of Resource.
bool is_identity(std::string_view key) {
    return key == "service.name" || key == "service.namespace" || key == "service.instance.id";
}

std::string runtime_of(const std::string& language) {
    constexpr std::string_view kWithout[] = {"generic", "cpp", "rust", "shell"};
    return std::ranges::find(kWithout, language) == std::end(kWithout) ? language : "";
}

}  // namespace

Describer::Describer(const config::Config& config, const proc::ProcFs& procfs, std::string full_host_name)
    : procfs_(procfs), executables_(procfs), full_host_name_(std::move(full_host_name)) {
    reload(config);
}

void Describer::reload(const config::Config& config) {
    host_ = proc::read_host();
    if (!config.attributes.hostname.empty())
        host_.name = config.attributes.hostname;
    else if (!full_host_name_.empty())
        host_.name = full_host_name_;
    if (!config.attributes.host_id.empty()) host_.id = config.attributes.host_id;
    agents_attributes_ = config.resource_attributes;
}

Program Describer::program(const Process& process) {
    const Executable& executable = executables_.of(process);
    return name_program(process, procfs_, executable.go ? &*executable.go : nullptr);
}

Description Describer::describe(const Relative& self, const Ancestors& ancestors, const config::SelectorConfig& entry) {
    const Process& process = *self.process;
    Pairs own = config::parse_key_values(process.env_resource_attributes).pairs;
    ServiceName name = name_service(self, ancestors, entry, own);
    const Relative instance = instance_of(self, ancestors);
    const Language language = detect_language(process, procfs_, executables_.of(process));

    auto resource = std::make_shared<spans::Resource>();
    resource->service_name = std::move(name.name);
    resource->service_namespace = std::move(name.service_namespace);
    resource->instance_id = fmt::format("{}:{}", host_.name, instance.process->pid);
    for (const auto& [key, value] : own)
        if (key == "service.instance.id" && !value.empty()) resource->instance_id = value;
    resource->language = language.name;
    resource->attributes = attributes(*instance.process, language.name, std::move(own));
    return {.resource = std::move(resource), .name_from = std::move(name.from), .is_language_final = language.is_final};
}

Describer::Pairs Describer::attributes(const Process& process, const std::string& language, Pairs own) const {
    Pairs all{{"container.id", process.container_id},
              {"container.name", process.container_name},
              {"k8s.pod.uid", process.pod_uid},
              {"process.pid", std::to_string(process.pid)},
              {"process.executable.name", std::string(base_name(process.exe))},
              {"process.executable.path", process.exe},
              {"process.command", process.argv.empty() ? "" : process.argv.front().substr(0, kMaxCommand)},
              {"process.owner", owner(process)},
              {"process.runtime.name", runtime_of(language)},
              {"host.name", host_.name},
              {"host.id", host_.id},
              {"host.arch", host_.arch},
              {"os.type", "linux"}};
    // The agent's own attributes are for targets that have none.
    const Pairs& given = own.empty() ? agents_attributes_ : own;
    for (const auto& pair : given)
        if (!is_identity(pair.first)) all.push_back(pair);
    std::erase_if(all, [](const auto& pair) { return pair.second.empty(); });
    std::ranges::stable_sort(all, {}, &Pairs::value_type::first);
    // Of equal keys the last one counts.
    Pairs unique;
    for (auto& pair : all) {
        if (!unique.empty() && unique.back().first == pair.first)
            unique.back() = std::move(pair);
        else
            unique.push_back(std::move(pair));
    }
    return unique;
}

// As the process's own files name the user: containers have their own.
std::string Describer::owner(const Process& process) const {
    if (!process.uid) return {};
    const std::string passwd = procfs_.read_in_root(process.pid, "/etc/passwd", kMaxPasswd).value_or("");
    const std::string uid = std::to_string(*process.uid);
    for (const std::string_view line : split(passwd, '\n')) {
        const std::vector<std::string_view> fields = split(line, ':');
        if (fields.size() > 2 && fields[2] == uid) return std::string(fields[0]);
    }
    return uid;
}

}  // namespace waggle::discover
