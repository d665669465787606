// SPDX-License-Identifier: Apache-2.0
// Describer: makes the resource of a selected process: name, instance, language and attributes.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "discover/language.h"
#include "discover/process.h"
#include "discover/service_name.h"
#include "proc/host.h"
#include "proc/procfs.h"
#include "spans/resource.h"

namespace waggle::discover {

struct Description {
    spans::ResourcePtr resource;
    std::string name_from;  // where the service's name is from, for people
    bool is_language_final = true;
};

class Describer {
  public:
    // full_host_name: with its domain, as the resolver has it; empty: not asked for.
    Describer(const config::Config& config, const proc::ProcFs& procfs, std::string full_host_name = {});

    void reload(const config::Config& config);
    Program program(const Process& process);
    Description describe(const Relative& self, const Ancestors& ancestors, const config::SelectorConfig& entry);

  private:
    using Pairs = std::vector<std::pair<std::string, std::string>>;
    Pairs attributes(const Process& process, const std::string& language, Pairs own) const;
    std::string owner(const Process& process) const;

    const proc::ProcFs& procfs_;
    Executables executables_;
    std::string full_host_name_;
    proc::Host host_;
    Pairs agents_attributes_;
};

}  // namespace waggle::discover
