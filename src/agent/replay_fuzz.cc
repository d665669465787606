// SPDX-License-Identifier: Apache-2.0
// Any record file through a replay: what the file holds is bytes from elsewhere, as the network's are. Two inputs of
// three are records of true lengths, so that what stands in them is reached.
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "agent/record_format.h"
#include "agent/replay.h"
#include "base/log.h"

namespace {

using waggle::agent::kRecordMagic;

// What stands for a type, a body of that length and its bytes.
std::string records_of(std::string_view data) {
    constexpr std::uint16_t kTypes[] = {WG_EVENT_CONNECTION,
                                        WG_EVENT_DATA,
                                        WG_EVENT_CLOSE,
                                        WG_EVENT_EXEC,
                                        WG_EVENT_PLAIN,
                                        WG_EVENT_DATAGRAM,
                                        WG_EVENT_TICK,
                                        WG_EVENT_PROCESS,
                                        WG_EVENT_TAIL,
                                        waggle::agent::kRecordRing,
                                        waggle::agent::kRecordSettings};
    std::string file;
    std::uint64_t now_ns = 1'000'000'000;
    while (data.size() > 3) {
        const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(data[at]); };
        const std::string_view body = data.substr(3, 4u * byte(2));
        wg_event head{};
        head.type = static_cast<wg_event_type>(kTypes[byte(0) % std::size(kTypes)]);
        head.version = WG_EVENT_VERSION;
        head.length = static_cast<std::uint32_t>(sizeof(head) + body.size());
        head.time_ns = now_ns += 1'000'000ull * byte(1);
        file.append(reinterpret_cast<const char*>(&head), sizeof(head)).append(body);
        data.remove_prefix(3 + body.size());
    }
    return file;
}

int file_with(std::string_view text) {
    static const int file = ::memfd_create("records", MFD_CLOEXEC);
    if (file < 0 || ::ftruncate(file, 0) != 0 ||
        ::pwrite(file, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
        std::abort();
    return file;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    waggle::log::set_level(waggle::log::Level::Error);
    // The spans are not looked at.
    return std::freopen("/dev/null", "w", stdout) ? 0 : 1;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
    if (size == 0) return 0;
    const std::string_view data(reinterpret_cast<const char*>(bytes) + 1, size - 1);
    const std::string file = std::string(kRecordMagic) + (bytes[0] % 3 ? records_of(data) : std::string(data));
    waggle::config::Config config;
    config.trace_printer = bytes[0] % 2 ? waggle::config::TracePrinter::Json : waggle::config::TracePrinter::Text;
    const auto done = waggle::agent::replay(fmt::format("/proc/self/fd/{}", file_with(file)), config);
    // What is damaged is said, with the place.
    if (!done && done.error().message.find(" byte ") == std::string::npos) std::abort();
    return 0;
}
