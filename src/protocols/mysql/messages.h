// SPDX-License-Identifier: Apache-2.0
// MySQL's client/server protocol: packets, what the first ones of a connection say, how answers end, and
// whether bytes can be one (https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html,
// https://mariadb.com/kb/en/clientserver-protocol/). Pure.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "protocols/framed.h"

namespace waggle::protocols::mysql {

template <typename T>
using Parsed = std::expected<T, Stop>;

inline constexpr std::size_t kHeader = 4;
inline constexpr std::uint32_t kFull = 0xffffff;  // a packet of this length goes on in the next one
inline constexpr std::size_t kMaxLogin = 2048;

// Capabilities that change what is sent.
inline constexpr std::uint32_t kConnectWithDb = 1u << 3;
inline constexpr std::uint32_t kCompress = 1u << 5;
inline constexpr std::uint32_t kProtocol41 = 1u << 9;
inline constexpr std::uint32_t kSsl = 1u << 11;
inline constexpr std::uint32_t kSecureConnection = 1u << 15;
inline constexpr std::uint32_t kPluginAuthLenenc = 1u << 21;
inline constexpr std::uint32_t kDeprecateEof = 1u << 24;
inline constexpr std::uint32_t kOptionalMetadata = 1u << 25;
inline constexpr std::uint32_t kZstd = 1u << 26;
inline constexpr std::uint32_t kQueryAttributes = 1u << 27;

// Flags of a server's status.
inline constexpr std::uint16_t kMoreResults = 1u << 3;
inline constexpr std::uint16_t kCursorExists = 1u << 6;
inline constexpr std::uint16_t kNoBackslashes = 1u << 9;
inline constexpr std::uint16_t kSessionChanged = 1u << 14;

enum class Command : std::uint8_t {
    Quit = 0x01,
    InitDb = 0x02,
    Query = 0x03,
    FieldList = 0x04,
    CreateDb = 0x05,
    DropDb = 0x06,
    Refresh = 0x07,
    Shutdown = 0x08,
    Statistics = 0x09,
    ProcessInfo = 0x0a,
    ProcessKill = 0x0c,
    Debug = 0x0d,
    Ping = 0x0e,
    ChangeUser = 0x11,
    BinlogDump = 0x12,
    TableDump = 0x13,
    RegisterReplica = 0x15,
    Prepare = 0x16,
    Execute = 0x17,
    SendLongData = 0x18,
    Close = 0x19,
    Reset = 0x1a,
    SetOption = 0x1b,
    Fetch = 0x1c,
    BinlogDumpGtid = 0x1e,
    ResetConnection = 0x1f,
    Clone = 0x20,
    BulkExecute = 0xfa,  // MariaDB
};

// Reads little-endian fields one after the other; all zero and empty once something is missing.
class Fields {
  public:
    explicit Fields(std::string_view bytes) : left_(bytes) {}

    bool is_whole() const { return is_whole_; }
    std::string_view left() const { return left_; }
    std::uint64_t number(std::size_t bytes);
    // Length-encoded: one, two, three or eight bytes.
    std::uint64_t lenenc();
    std::string_view text(std::uint64_t size);
    std::string_view lenenc_text() { return text(lenenc()); }
    std::string_view nul_text();

  private:
    std::string_view left_;
    bool is_whole_ = true;
};

struct Packet {
    std::uint32_t length = 0;
    std::uint8_t sequence = 0;
    std::string_view body;  // what is here of it

    std::uint8_t first() const { return body.empty() ? 0 : static_cast<std::uint8_t>(body[0]); }
    bool is_error() const { return !body.empty() && first() == 0xff; }
    // Answers end with one of these; a row that begins so is one of 16 MiB and more.
    bool is_eof() const { return !body.empty() && first() == 0xfe && length == 5; }
    bool is_ok_end() const { return !body.empty() && first() == 0xfe && length >= 7 && length < kFull; }
};
Packet read_packet(std::string_view bytes);

struct Greeting {
    std::uint32_t capabilities = 0;
    bool is_mariadb = false;
};
std::optional<Greeting> read_greeting(std::string_view body);

// HandshakeResponse41, or the SSLRequest that is its beginning.
struct Login {
    std::uint32_t capabilities = 0;
    std::string_view database;
    bool is_ssl_request = false;
};
std::optional<Login> read_login(std::string_view body, std::uint32_t length);

struct Ok {
    std::uint16_t status = 0;
    std::optional<std::string_view> database;  // the session's new one, if the server told
};
std::optional<Ok> read_ok(std::string_view body);
std::uint16_t eof_status(std::string_view body);

// The SQL text of a COM_QUERY, after its attributes; nothing when these cannot be read.
std::optional<std::string_view> query_text(std::string_view body, std::optional<bool> has_attributes);
// The name of USE name.
std::string_view used_database(std::string_view text);

// How an answer may end, by its last eight bytes.
struct TailEnd {
    enum class Form : std::uint8_t { Other, Eof, OkEnd, Ok };
    Form form = Form::Other;
    std::uint16_t status = 0;
};
TailEnd read_tail(std::uint64_t tail);

Sniff sniff(std::string_view bytes, Side side);

}  // namespace waggle::protocols::mysql
