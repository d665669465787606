// SPDX-License-Identifier: Apache-2.0
// TLS handshakes as they go by in the clear (RFC 8446 §4.1, RFC 5246 §7.4): who is asked for, what is agreed upon, how
// long it takes. The tracker gives each record to it that stands before the first protected ones.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "spans/span.h"

namespace waggle::protocols {

struct ClientHello {
    std::string server_name;  // SNI
    std::string protocols;    // ALPN: offered, with commas between
    std::string session;      // the id of a session that it wants to go on with
    bool has_early_data = false;
};

struct ServerHello {
    std::uint16_t version = 0;  // 0x0304: 1.3
    std::uint16_t cipher = 0;
    std::string session;
    std::string protocol;         // ALPN: chosen; TLS 1.3 says it where nobody can read it
    bool has_shared_key = false;  // TLS 1.3: goes on with a session
    bool is_retry = false;        // asks for another ClientHello
};

// Of a record's body, which must hold the whole message.
std::optional<ClientHello> read_client_hello(std::string_view body);
std::optional<ServerHello> read_server_hello(std::string_view body);

// IANA's name, or its number where it has none here.
std::string cipher_name(std::uint16_t cipher);

// What is known of a connection's handshake; strings and numbers are empty and 0 where it is not.
struct TlsFacts {
    std::string server_name;
    std::string offered_protocols;
    std::string next_protocol;
    std::string cipher;
    std::string_view version;
    std::optional<bool> is_resumed;
    std::uint64_t began_ns = 0;
    std::uint64_t ended_ns = 0;  // when both sides have gone over to protected records
};

// As the attributes of a span.
void describe_tls(const TlsFacts& facts, spans::SpanBatch& batch, spans::Span& span);

// Follows the handshake at the begin of both directions.
class TlsHandshake {
  public:
    // Is this direction's next record worth having as a whole?
    bool wants_body(unsigned direction, std::uint8_t type) const;
    void on_record(unsigned direction, std::uint8_t type, std::string_view body, std::uint64_t now_ns);
    bool is_over() const { return is_over_; }
    const TlsFacts& facts() const { return facts_; }

  private:
    void on_hello(unsigned direction, std::string_view body, std::uint64_t now_ns);
    void agree(const ServerHello& hello);
    void check_end();

    struct Side {
        bool has_hello = false;
        bool has_changed_cipher = false;
        std::uint64_t finished_ns = 0;  // TLS 1.2: the first record behind the change
        std::uint64_t data_ns = 0;      // the first record of application data, or what looks like it
    };
    TlsFacts facts_;
    std::optional<ClientHello> client_;
    std::optional<ServerHello> server_;
    Side sides_[2];
    bool is_over_ = false;
};

}  // namespace waggle::protocols
