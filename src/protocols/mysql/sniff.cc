// SPDX-License-Identifier: Apache-2.0
// Recognises MySQL by its greeting, a login, or commands whose lengths and inner structure fit.
#include <array>

#include "base/strings.h"
#include "protocols/mysql/messages.h"
#include "protocols/sql/lexer.h"

namespace waggle::protocols::mysql {
namespace {

constexpr std::size_t kMaxGreeting = 1024;

// First words of statements.
constexpr auto kVerbs = std::to_array<std::string_view>(
    {"ALTER",    "ANALYZE",  "BEGIN",    "CALL",      "CHECK",    "COMMIT",  "CREATE",  "DEALLOCATE", "DELETE",
     "DESC",     "DESCRIBE", "DO",       "DROP",      "EXECUTE",  "EXPLAIN", "FLUSH",   "GRANT",      "HANDLER",
     "INSERT",   "KILL",     "LOAD",     "LOCK",      "OPTIMIZE", "PREPARE", "RELEASE", "RENAME",     "REPLACE",
     "RESET",    "REVOKE",   "ROLLBACK", "SAVEPOINT", "SELECT",   "SET",     "SHOW",    "START",      "TABLE",
     "TRUNCATE", "UNLOCK",   "UPDATE",   "USE",       "VALUES",   "WITH",    "XA"});

// Enough of a statement to be none of another protocol's.
Sniff sniff_text(std::string_view text, bool is_whole) {
    for (const char c : text.substr(0, 64))
        if (static_cast<unsigned char>(c) < 0x20 && (c < '\t' || c > '\r')) return Sniff::No;
    sql::Lexer lexer(text, sql::Dialect::MySql, true);
    sql::Token token = lexer.next();
    while (token.kind == sql::TokenKind::Symbol && token.text == "(") token = lexer.next();
    if (!is_whole && (token.kind == sql::TokenKind::End || token.end == text.size())) return Sniff::NeedMore;
    if (token.kind != sql::TokenKind::Word) return Sniff::No;
    for (const std::string_view verb : kVerbs)
        if (equals_ignoring_case(verb, token.text))
            return is_whole || text.size() >= 512 ? Sniff::Yes : Sniff::NeedMore;
    return Sniff::No;
}

Sniff sniff_login(const Packet& packet) {
    if (packet.sequence > 1 || packet.length < 32 || packet.length > kMaxLogin) return Sniff::No;
    Fields fields(packet.body.substr(0, 32));
    if (const std::uint64_t capabilities = fields.number(4); fields.is_whole() && !(capabilities & kProtocol41))
        return Sniff::No;
    if (packet.body.size() > 9 && packet.body.substr(9, 19).find_first_not_of('\0') != std::string_view::npos)
        return Sniff::No;
    if (packet.body.size() < packet.length) return Sniff::NeedMore;
    return read_login(packet.body, packet.length) ? Sniff::Yes : Sniff::No;
}

// Commands that say little come before one that says enough.
bool is_small(const Packet& packet) {
    switch (static_cast<Command>(packet.first())) {
        case Command::Ping:
        case Command::ResetConnection:
            return packet.length == 1;
        case Command::Close:
        case Command::Reset:
            return packet.length == 5;
        default:
            return false;
    }
}

Sniff sniff_command(const Packet& packet) {
    const bool is_whole = packet.body.size() == packet.length;
    switch (static_cast<Command>(packet.first())) {
        case Command::Query: {
            // Attributes are not read for this: without any they are two bytes.
            std::string_view text = packet.body.substr(1);
            if (text.starts_with(std::string_view("\0\1", 2))) text.remove_prefix(2);
            return sniff_text(text, is_whole);
        }
        case Command::Prepare:
            return sniff_text(packet.body.substr(1), is_whole);
        case Command::Execute: {
            if (packet.length < 10) return Sniff::No;
            Fields fields(packet.body.substr(1));
            const std::uint64_t id = fields.number(4);
            const std::uint64_t flags = fields.number(1);
            const std::uint64_t iterations = fields.number(4);
            if (!fields.is_whole()) return Sniff::NeedMore;
            return id != 0 && flags < 16 && iterations == 1 ? Sniff::Yes : Sniff::No;
        }
        default:
            return Sniff::No;
    }
}

Sniff sniff_client(std::string_view bytes) {
    for (;;) {
        if (bytes.size() <= kHeader) return bytes.size() == kHeader && bytes[3] > 1 ? Sniff::No : Sniff::NeedMore;
        const Packet packet = read_packet(bytes);
        if (packet.length == 0) return Sniff::No;
        if (packet.sequence != 0) return sniff_login(packet);
        if (!is_small(packet)) return sniff_command(packet);
        if (packet.body.size() < packet.length) return Sniff::NeedMore;
        bytes.remove_prefix(kHeader + packet.length);
    }
}

Sniff sniff_server(std::string_view bytes) {
    constexpr std::string_view kFixed("\0\0\x0a", 3);  // sequence and version, behind a length below 64 KiB
    if (bytes.size() > 2 && !kFixed.starts_with(bytes.substr(2, kFixed.size())) && !bytes.substr(2).starts_with(kFixed))
        return Sniff::No;
    if (bytes.size() <= kHeader) return Sniff::NeedMore;
    const Packet packet = read_packet(bytes);
    if (packet.length > kMaxGreeting) return Sniff::No;
    if (packet.body.size() < packet.length) return Sniff::NeedMore;
    return bytes.size() == kHeader + packet.length && read_greeting(packet.body) ? Sniff::Yes : Sniff::No;
}

}  // namespace

Sniff sniff(std::string_view bytes, Side side) {
    if (bytes.empty()) return Sniff::NeedMore;
    return side == Side::Request ? sniff_client(bytes) : sniff_server(bytes);
}

}  // namespace waggle::protocols::mysql
