// SPDX-License-Identifier: Apache-2.0
#include "protocols/dns/message.h"

#include <algorithm>
#include <array>

#include "base/strings.h"

namespace waggle::protocols::dns {
namespace {

std::uint16_t number_at(std::string_view bytes, std::size_t at) {
    return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[at]) << 8 |
                                      static_cast<unsigned char>(bytes[at + 1]));
}

// What a label may say: names of hosts and services, and what else people write. No control characters.
bool is_label(std::string_view text) {
    return std::ranges::all_of(text, [](unsigned char c) { return c > 0x20 && c < 0x7f && c != '.'; });
}

// The size of the name at the front of bytes, 0 when it is none. A question's name is never compressed.
std::size_t read_name(std::string_view bytes, HostName& name) {
    std::size_t at = 0;
    for (;;) {
        if (at >= bytes.size()) return 0;
        const auto length = static_cast<unsigned char>(bytes[at++]);
        if (length == 0) break;
        if (length > 63 || at + length > bytes.size() || at + length > 254) return 0;
        const std::string_view label = bytes.substr(at, length);
        if (!is_label(label)) return 0;
        if (!name.is_empty()) name.add('.');
        for (const char c : label) name.add(to_lower(c));
        at += length;
    }
    if (name.is_empty()) name.add('.');
    return at;
}

struct Row {
    std::uint16_t type;
    std::string_view name;
};
constexpr auto kTypes = std::to_array<Row>(
    {{1, "A"},     {2, "NS"},    {5, "CNAME"},  {6, "SOA"},    {12, "PTR"},   {15, "MX"},   {16, "TXT"},
     {28, "AAAA"}, {33, "SRV"},  {35, "NAPTR"}, {43, "DS"},    {46, "RRSIG"}, {47, "NSEC"}, {48, "DNSKEY"},
     {52, "TLSA"}, {64, "SVCB"}, {65, "HTTPS"}, {251, "IXFR"}, {252, "AXFR"}, {255, "ANY"}, {257, "CAA"}});

}  // namespace

std::optional<Message> read_message(std::string_view bytes) {
    if (bytes.size() < kHeader) return {};
    Message message{.id = number_at(bytes, 0)};
    const std::uint16_t flags = number_at(bytes, 2);
    message.is_answer = (flags & 0x8000) != 0;
    message.operation = static_cast<std::uint8_t>(flags >> 11 & 15);
    message.code = static_cast<std::uint8_t>(flags & 15);
    message.is_truncated = (flags & 0x0200) != 0;
    message.questions = number_at(bytes, 4);
    if (message.operation > 6 || message.operation == 3 || flags & 0x0040) return {};
    // A refusal may come without its question; more than one is nobody's.
    if (message.questions > 1 || (message.questions == 0 && !message.is_answer)) return {};
    if (message.questions == 0) return message;
    const std::size_t size = read_name(bytes.substr(kHeader), message.name);
    if (size == 0 || bytes.size() < kHeader + size + 4) {
        message.name.clear();
        return message;
    }
    message.type = number_at(bytes, kHeader + size);
    message.record_class = number_at(bytes, kHeader + size + 2);
    message.has_question = true;
    return message;
}

std::string_view type_name(std::uint16_t type) {
    const auto found = std::ranges::find(kTypes, type, &Row::type);
    return found == kTypes.end() ? std::string_view{} : found->name;
}

std::string_view code_name(std::uint8_t code) {
    static constexpr std::array<std::string_view, 12> kNames = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
                                                                "NOTIMP",  "REFUSED", "YXDOMAIN", "YXRRSET",
                                                                "NXRRSET", "NOTAUTH", "NOTZONE",  "DSOTYPENI"};
    return code < kNames.size() ? kNames[code] : std::string_view("_OTHER");
}

Sniff sniff_message(std::string_view bytes, std::size_t size, Side side) {
    const auto message = read_message(bytes);
    if (!message || message->is_answer != (side == Side::Response) || message->questions != 1 ||
        message->operation != 0)
        return Sniff::No;
    const std::uint16_t answers = number_at(bytes, 6), authorities = number_at(bytes, 8), others = number_at(bytes, 10);
    // Of a query only what extends it and what signs it; IXFR has its record.
    if (side == Side::Request && (message->code != 0 || answers != 0 || authorities > 1 || others > 2))
        return Sniff::No;
    if (!message->has_question) return bytes.size() < std::min(size, kMaxFront) ? Sniff::NeedMore : Sniff::No;
    const bool is_class = message->record_class == 1 || message->record_class == 3 || message->record_class == 255;
    return is_class && !type_name(message->type).empty() ? Sniff::Yes : Sniff::No;
}

Sniff sniff(std::string_view bytes, Side side) {
    if (bytes.size() < 2) return Sniff::NeedMore;
    const std::size_t size = number_at(bytes, 0);
    if (size < kHeader + 5 || (side == Side::Request && size > 1024)) return Sniff::No;
    if (bytes.size() < 2 + kHeader) return Sniff::NeedMore;
    return sniff_message(bytes.substr(2, size), size, side);
}

}  // namespace waggle::protocols::dns
