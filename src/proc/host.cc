// SPDX-License-Identifier: Apache-2.0
#include "proc/host.h"

#include <netdb.h>
#include <sys/utsname.h>

#include <memory>

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

Host read_host(const std::string& root) {
    Host host;
    utsname names{};
    if (::uname(&names) == 0) {
        host.name = names.nodename;
        host.arch = arch_of(names.machine);
    }
    for (const char* path : {"/etc/machine-id", "/var/lib/dbus/machine-id"}) {
        const std::string text = read_file(root + path, 256).value_or("");
        host.id = trim(text);
        if (!host.id.empty() && host.id != "uninitialized") return host;
    }
    host.id = host.name;
    return host;
}

std::string full_host_name(const std::string& name, std::chrono::milliseconds wait) {
    struct Lookup {
        std::string name;
        addrinfo hints{.ai_flags = AI_CANONNAME};
        gaicb request{};
    };
    auto lookup = std::make_unique<Lookup>(name);
    gaicb& request = lookup->request;
    request.ar_name = lookup->name.c_str();
    request.ar_request = &lookup->hints;
    gaicb* const list[] = {&request};
    if (::getaddrinfo_a(GAI_NOWAIT, const_cast<gaicb**>(list), 1, nullptr) != 0) return name;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wait);
    const timespec limit{.tv_sec = seconds.count(), .tv_nsec = std::chrono::nanoseconds(wait - seconds).count()};
    ::gai_suspend(list, 1, &limit);
    if (::gai_error(&request) == EAI_INPROGRESS) {
        // What the resolver has begun cannot be taken from it.
        if (::gai_cancel(&request) == EAI_NOTCANCELED) static_cast<void>(lookup.release());
        return name;
    }
    if (::gai_error(&request) != 0) return name;
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> found(request.ar_result, &::freeaddrinfo);
    const std::string_view full = found->ai_canonname ? found->ai_canonname : "";
    const bool is_local = full.starts_with("localhost");
    return full.contains('.') && !is_local ? std::string(full) : name;
}

}  // namespace waggle::proc
