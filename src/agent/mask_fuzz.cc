// SPDX-License-Identifier: Apache-2.0
// Any bytes in any pieces through the mask: the length stays, and of what is no head no letter
// does.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "agent/mask.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 2) return 0;
    const size_t piece = data[0] % 64 + 1;
    const size_t gap = data[1] % 8 == 0 ? data[1] : 0;
    std::string text(reinterpret_cast<const char*>(data + 2), size - 2);
    // Nothing that could begin a message.
    const bool is_foreign = text.find("HTTP/1.") == std::string::npos &&
                            std::ranges::none_of(text, [](char c) { return c >= 'A' && c <= 'Z'; });
    waggle::agent::PayloadMask mask;
    std::uint64_t position = 1;
    for (size_t at = 0; at < text.size(); at += piece) {
        const size_t length = std::min(piece, text.size() - at);
        wg_data_event event{};
        event.connection = 1;
        event.position = position;
        event.flags = at == 0 ? WG_DATA_TURN_START : 0;
        mask.data(event, {text.data() + at, length});
        position += length + gap;
    }
    const auto is_letter = [](char c) { return c >= 'a' && c <= 'w'; };
    if (is_foreign && std::ranges::any_of(text, is_letter)) std::abort();
    return 0;
}
