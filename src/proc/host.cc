// SPDX-License-Identifier: Apache-2.0
#include "proc/host.h"

#include <netdb.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cstdio>

#include "base/strings.h"
#include "proc/file.h"

namespace waggle::proc {
namespace {

std::string arch_of(std::string_view machine) {
    if (machine == "x86_64") return "amd64";
    if (machine == "aarch64") return "arm64";
    if (machine.starts_with("arm")) return "arm32";
    if (machine == "i386" || machine == "i686") return "x86";
    return std::string(machine);
}

}  // namespace

Kernel read_kernel() {
    utsname names{};
    if (::uname(&names) != 0) return {};
    Kernel kernel{.host_name = names.nodename, .release = names.release, .machine = names.machine, .version = {}};
    auto& [major, minor] = kernel.version;
    if (std::sscanf(names.release, "%d.%d", &major, &minor) != 2) kernel.version = {};
    return kernel;
}

Host read_host(const std::string& root) {
    const Kernel kernel = read_kernel();
    Host host{.name = kernel.host_name, .id = {}, .arch = arch_of(kernel.machine)};
    for (const char* path : {"/etc/machine-id", "/var/lib/dbus/machine-id"}) {
        const std::string text = read_file(root + path, 256).value_or("");
        host.id = trim(text);
        if (!host.id.empty() && host.id != "uninitialized") return host;
    }
    host.id = host.name;
    return host;
}

struct FullHostName::Lookup {
    std::string name;
    addrinfo hints{.ai_flags = AI_CANONNAME};
    gaicb request{};
    bool is_asked = false;
};

FullHostName::FullHostName(std::string name) : lookup_(std::make_unique<Lookup>(std::move(name))) {
    gaicb& request = lookup_->request;
    request.ar_name = lookup_->name.c_str();
    request.ar_request = &lookup_->hints;
    gaicb* list[] = {&request};
    lookup_->is_asked = ::getaddrinfo_a(GAI_NOWAIT, list, 1, nullptr) == 0;
}

FullHostName::~FullHostName() {
    if (!lookup_->is_asked) return;
    // What the resolver has begun cannot be taken from it.
    if (::gai_error(&lookup_->request) == EAI_INPROGRESS && ::gai_cancel(&lookup_->request) == EAI_NOTCANCELED)
        static_cast<void>(lookup_.release());
    else if (lookup_->request.ar_result)
        ::freeaddrinfo(lookup_->request.ar_result);
}

std::string FullHostName::wait(std::chrono::steady_clock::time_point until) {
    using std::chrono::nanoseconds;
    if (!lookup_->is_asked) return lookup_->name;
    const auto left =
        std::max(nanoseconds(0), std::chrono::duration_cast<nanoseconds>(until - std::chrono::steady_clock::now()));
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    const timespec limit{.tv_sec = seconds.count(), .tv_nsec = (left - seconds).count()};
    const gaicb* const list[] = {&lookup_->request};
    ::gai_suspend(list, 1, &limit);
    const addrinfo* const found = ::gai_error(&lookup_->request) == 0 ? lookup_->request.ar_result : nullptr;
    const std::string_view full = found && found->ai_canonname ? found->ai_canonname : "";
    return full.contains('.') && !full.starts_with("localhost") ? std::string(full) : lookup_->name;
}

}  // namespace waggle::proc
