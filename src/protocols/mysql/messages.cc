// SPDX-License-Identifier: Apache-2.0
#include "protocols/mysql/messages.h"

#include "base/strings.h"
#include "protocols/sql/lexer.h"

namespace waggle::protocols::mysql {
namespace {

constexpr std::uint16_t kKnownStatus = 0x7fff;
constexpr std::size_t kLoginFixed = 32;

// The value of a parameter of this type; false when it is not whole.
bool pass_value(std::uint8_t type, Fields& fields) {
    switch (type) {
        case 0x06:  // NULL
            break;
        case 0x01:
            fields.number(1);
            break;
        case 0x02:
        case 0x0d:
            fields.number(2);
            break;
        case 0x03:
        case 0x04:
        case 0x09:
            fields.number(4);
            break;
        case 0x05:
        case 0x08:
            fields.number(8);
            break;
        case 0x07:
        case 0x0a:
        case 0x0b:
        case 0x0c:
            fields.text(fields.number(1));
            break;
        default:
            fields.lenenc_text();
            break;
    }
    return fields.is_whole();
}

bool pass_attributes(Fields& fields) {
    constexpr std::uint64_t kMaxAttributes = 64;
    const std::uint64_t count = fields.lenenc();
    const std::uint64_t sets = fields.lenenc();
    if (!fields.is_whole() || sets != 1 || count > kMaxAttributes) return false;
    if (count == 0) return true;
    const std::string_view nulls = fields.text((count + 7) / 8);
    if (fields.number(1) != 1) return false;
    std::uint8_t types[kMaxAttributes];
    for (std::uint64_t i = 0; i < count && fields.is_whole(); ++i) {
        types[i] = static_cast<std::uint8_t>(fields.number(2));
        fields.lenenc_text();
    }
    if (!fields.is_whole()) return false;
    for (std::uint64_t i = 0; i < count; ++i)
        if (!(nulls[i / 8] >> i % 8 & 1) && !pass_value(types[i], fields)) return false;
    return true;
}

}  // namespace

std::uint64_t Fields::number(std::size_t bytes) {
    const std::string_view part = text(bytes);
    std::uint64_t value = 0;
    for (std::size_t i = part.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(part[i]);
    return value;
}

std::uint64_t Fields::lenenc() {
    const std::uint64_t first = number(1);
    if (first < 0xfb) return first;
    if (first == 0xfc) return number(2);
    if (first == 0xfd) return number(3);
    if (first == 0xfe) return number(8);
    is_whole_ = false;
    left_ = {};
    return 0;
}

std::string_view Fields::text(std::uint64_t size) {
    is_whole_ &= size <= left_.size();
    if (!is_whole_) {
        left_ = {};
        return {};
    }
    const std::string_view part = left_.substr(0, size);
    left_.remove_prefix(size);
    return part;
}

std::string_view Fields::nul_text() {
    const std::size_t end = left_.find('\0');
    if (end == std::string_view::npos) return text(left_.size() + 1);
    const std::string_view part = text(end);
    text(1);
    return part;
}

Packet read_packet(std::string_view bytes) {
    Fields fields(bytes);
    Packet packet;
    packet.length = static_cast<std::uint32_t>(fields.number(3));
    packet.sequence = static_cast<std::uint8_t>(fields.number(1));
    packet.body = fields.left().substr(0, packet.length);
    return packet;
}

std::optional<Greeting> read_greeting(std::string_view body) {
    Fields fields(body);
    if (fields.number(1) != 10) return {};
    const std::string_view version = fields.nul_text();
    if (version.empty() || version.size() > 128 || version[0] < '0' || version[0] > '9') return {};
    for (const char c : version)
        if (c < 0x20 || c == 0x7f) return {};
    fields.number(4);  // connection
    fields.text(8);    // scramble
    if (fields.number(1) != 0) return {};
    Greeting greeting;
    greeting.capabilities = static_cast<std::uint32_t>(fields.number(2));
    fields.number(1);  // character set
    fields.number(2);  // status
    greeting.capabilities |= static_cast<std::uint32_t>(fields.number(2) << 16);
    fields.number(1);  // length of the scramble
    const std::string_view reserved = fields.text(10);
    if (!fields.is_whole() || reserved.substr(0, 6).find_first_not_of('\0') != std::string_view::npos) return {};
    // MariaDB has capabilities of its own where MySQL has zeros.
    greeting.is_mariadb =
        version.find("MariaDB") != std::string_view::npos || reserved.substr(6) != std::string_view("\0\0\0\0", 4);
    return greeting;
}

std::optional<Login> read_login(std::string_view body, std::uint32_t length) {
    Fields fields(body);
    Login login;
    login.capabilities = static_cast<std::uint32_t>(fields.number(4));
    fields.number(4);  // largest packet
    fields.number(1);  // character set
    const std::string_view filler = fields.text(23);
    if (!fields.is_whole() || !(login.capabilities & kProtocol41)) return {};
    if (filler.substr(0, 19).find_first_not_of('\0') != std::string_view::npos) return {};
    if (length == kLoginFixed) {
        login.is_ssl_request = true;
        return login.capabilities & kSsl ? std::optional(login) : std::nullopt;
    }
    const std::string_view user = fields.nul_text();
    for (const char c : user)
        if (static_cast<unsigned char>(c) < 0x20) return {};
    if (login.capabilities & kPluginAuthLenenc)
        fields.lenenc_text();
    else if (login.capabilities & kSecureConnection)
        fields.text(fields.number(1));
    else
        fields.nul_text();
    if (!fields.is_whole()) return {};
    if (login.capabilities & kConnectWithDb) login.database = fields.left().substr(0, fields.left().find('\0'));
    return login;
}

std::optional<Ok> read_ok(std::string_view body) {
    Fields fields(body);
    fields.number(1);
    fields.lenenc();  // affected rows
    fields.lenenc();  // last insert id
    Ok ok;
    ok.status = static_cast<std::uint16_t>(fields.number(2));
    fields.number(2);  // warnings
    if (!fields.is_whole()) return {};
    if (!(ok.status & kSessionChanged)) return ok;
    fields.lenenc_text();  // info
    Fields changes(fields.lenenc_text());
    while (changes.is_whole() && !changes.left().empty()) {
        const std::uint64_t type = changes.number(1);
        Fields change(changes.lenenc_text());
        constexpr std::uint64_t kSchema = 1;
        const std::string_view name = type == kSchema ? change.lenenc_text() : std::string_view{};
        if (type == kSchema && change.is_whole()) ok.database = name;
    }
    return ok;
}

std::uint16_t eof_status(std::string_view body) {
    Fields fields(body);
    fields.number(3);
    return static_cast<std::uint16_t>(fields.number(2));
}

std::optional<std::string_view> query_text(std::string_view body, std::optional<bool> has_attributes) {
    // Of a connection whose login was not seen: no SQL text begins with a control character but blanks.
    const auto first = body.empty() ? 0x20 : static_cast<unsigned char>(body[0]);
    const bool is_text = first >= 0x20 || (first >= '\t' && first <= '\r');
    if (!has_attributes.value_or(!is_text)) return body;
    Fields fields(body);
    if (!pass_attributes(fields)) return {};
    return fields.left();
}

std::string_view used_database(std::string_view text) {
    sql::Lexer lexer(text, sql::Dialect::MySql, true);
    const sql::Token verb = lexer.next();
    if (verb.kind != sql::TokenKind::Word || !equals_ignoring_case(verb.text, "use")) return {};
    const sql::Token name = lexer.next();
    if (name.kind != sql::TokenKind::Word && name.kind != sql::TokenKind::QuotedName) return {};
    return name.text;
}

TailEnd read_tail(std::uint64_t tail) {
    const auto at = [tail](unsigned index) { return static_cast<std::uint8_t>(tail >> 8 * index); };
    const auto two = [&](unsigned index) { return static_cast<std::uint16_t>(at(index) | at(index + 1) << 8); };
    TailEnd end;
    // 05 00 00 sequence fe warnings status
    if (at(0) == 0 && at(1) == 0 && at(3) == 0xfe && !(two(6) & ~kKnownStatus)) {
        end = {TailEnd::Form::Eof, two(6)};
    } else if (!(two(4) & ~kKnownStatus) && !(two(4) & kSessionChanged)) {
        // 07 00 00 sequence fe rows id status warnings
        if (at(1) == 0xfe && at(2) == 0 && at(3) == 0)
            end = {TailEnd::Form::OkEnd, two(4)};
        else if (at(1) == 0 && at(2) < 0xfb && at(3) < 0xfb)
            end = {TailEnd::Form::Ok, two(4)};
    }
    return end;
}

}  // namespace waggle::protocols::mysql
