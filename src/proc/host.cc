// SPDX-License-Identifier: Apache-2.0
#include "proc/host.h"

#include <sys/utsname.h>

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

}  // namespace waggle::proc
