// SPDX-License-Identifier: Apache-2.0
// The price of a uprobe itself: sets probes where the agent would in each process given, but with a program that only
// counts. Says "ready", and takes them away at the end of its input.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "agent/tls_files.h"
#include "base/fd.h"
#include "proc/procfs.h"
#include "sensors/loader.h"
#include "sensors/tls_probes.h"
#include "sensors/uprobe_multi.h"

int main(int argc, char** argv) {
    using namespace waggle;
    sensors::SensorReport report;
    const auto sensor = sensors::load(sensors::tls_sensor(), {}, report);
    if (!sensor) {
        for (const auto& reason : report.reasons) std::fprintf(stderr, "%s\n", std::string(reason).c_str());
        return 1;
    }
    std::vector<Fd> links;
    agent::TlsFiles files{proc::ProcFs()};
    for (int i = 1; i < argc; ++i) {
        const auto pid = static_cast<std::uint32_t>(std::atoi(argv[i]));
        for (const agent::OpenTlsFile& found : files.of(pid)) {
            std::vector<std::uint64_t> offsets;
            for (const sensors::TlsPlace& place : found.file->places) offsets.push_back(place.offset);
            links.emplace_back(sensors::link_multi(sensor->program_fd("count_call"), found.open_path().c_str(), pid,
                                                   offsets, std::vector<std::uint64_t>(offsets.size())));
            if (!links.back().is_open()) std::perror(found.path.c_str());
        }
    }
    if (links.empty()) std::fprintf(stderr, "no place found\n");
    std::printf("ready %zu\n", links.size());
    std::fflush(stdout);
    for (char byte = 0; ::read(0, &byte, 1) > 0;) {
    }
    return links.empty() ? 1 : 0;
}
