// SPDX-License-Identifier: Apache-2.0
#include "protocols/tls_hello.h"

#include <algorithm>
#include <array>

#include "spans/attribute_names.h"

namespace waggle::protocols {
namespace {

constexpr std::uint8_t kChangeCipher = 20;
constexpr std::uint8_t kHandshake = 22;
constexpr std::uint8_t kApplicationData = 23;
constexpr std::uint8_t kClientHello = 1;
constexpr std::uint8_t kServerHello = 2;
constexpr std::uint16_t kTls13 = 0x0304;
constexpr std::size_t kMaxProtocols = 128;  // bytes that are kept of what is offered
// RFC 8446 §4.1.3: what stands in the place of the random bytes of a HelloRetryRequest.
constexpr std::array<unsigned char, 32> kRetry = {0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C,
                                                  0x02, 0x1E, 0x65, 0xB8, 0x91, 0xC2, 0xA2, 0x11, 0x16, 0x7A, 0xBB,
                                                  0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C};

enum Extension : std::uint16_t { kServerName = 0, kAlpn = 16, kSharedKey = 41, kEarlyData = 42, kVersions = 43 };

// Takes from the front; empty and 0 once there was too little.
class Reader {
  public:
    explicit Reader(std::string_view bytes) : bytes_(bytes) {}
    std::string_view take(std::size_t size) {
        is_good_ &= size <= bytes_.size();
        if (!is_good_) return {};
        const std::string_view taken = bytes_.substr(0, size);
        bytes_.remove_prefix(size);
        return taken;
    }
    std::uint32_t number(std::size_t size) {
        std::uint32_t value = 0;
        for (const char byte : take(size)) value = value << 8 | static_cast<std::uint8_t>(byte);
        return value;
    }
    // Bytes with their length in front, in so many bytes.
    std::string_view vector(std::size_t size) { return take(number(size)); }
    bool is_good() const { return is_good_; }
    bool is_empty() const { return bytes_.empty() || !is_good_; }

  private:
    std::string_view bytes_;
    bool is_good_ = true;
};

std::optional<Reader> message(std::string_view body, std::uint8_t type) {
    Reader reader(body);
    if (reader.number(1) != type) return std::nullopt;
    const std::string_view text = reader.vector(3);
    return reader.is_good() ? std::optional(Reader(text)) : std::nullopt;
}

bool is_text(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f && c != ','; });
}

std::string server_name(std::string_view extension) {
    Reader list{Reader(extension).vector(2)};
    while (!list.is_empty()) {
        const std::uint32_t type = list.number(1);
        const std::string_view name = list.vector(2);
        if (type == 0 && name.size() <= 255 && is_text(name)) return std::string(name);
    }
    return {};
}

std::string protocols(std::string_view extension) {
    std::string all;
    Reader list{Reader(extension).vector(2)};
    while (!list.is_empty()) {
        const std::string_view name = list.vector(1);
        if (!is_text(name)) continue;  // RFC 8701: made up, so that nobody gets used to what there is
        if (all.size() + name.size() > kMaxProtocols) break;
        if (!all.empty()) all += ',';
        all += name;
    }
    return all;
}

std::string_view version_name(std::uint16_t version) {
    switch (version) {
        case 0x0300:
            return "3";
        case 0x0301:
            return "1.0";
        case 0x0302:
            return "1.1";
        case 0x0303:
            return "1.2";
        case kTls13:
            return "1.3";
        default:
            return {};
    }
}

struct Cipher {
    std::uint16_t number;
    std::string_view name;
};
constexpr Cipher kCiphers[] = {
    {0x000A, "TLS_RSA_WITH_3DES_EDE_CBC_SHA"},
    {0x002F, "TLS_RSA_WITH_AES_128_CBC_SHA"},
    {0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA"},
    {0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA"},
    {0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA"},
    {0x003C, "TLS_RSA_WITH_AES_128_CBC_SHA256"},
    {0x003D, "TLS_RSA_WITH_AES_256_CBC_SHA256"},
    {0x0067, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256"},
    {0x006B, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256"},
    {0x009C, "TLS_RSA_WITH_AES_128_GCM_SHA256"},
    {0x009D, "TLS_RSA_WITH_AES_256_GCM_SHA384"},
    {0x009E, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"},
    {0x009F, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384"},
    {0x1301, "TLS_AES_128_GCM_SHA256"},
    {0x1302, "TLS_AES_256_GCM_SHA384"},
    {0x1303, "TLS_CHACHA20_POLY1305_SHA256"},
    {0x1304, "TLS_AES_128_CCM_SHA256"},
    {0x1305, "TLS_AES_128_CCM_8_SHA256"},
    {0xC009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"},
    {0xC00A, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"},
    {0xC013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"},
    {0xC014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"},
    {0xC023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"},
    {0xC024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384"},
    {0xC027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"},
    {0xC028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"},
    {0xC02B, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
    {0xC02C, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"},
    {0xC02F, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
    {0xC030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"},
    {0xCCA8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"},
    {0xCCA9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"},
    {0xCCAA, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256"},
};

}  // namespace

std::string cipher_name(std::uint16_t cipher) {
    const auto* const found = std::ranges::find(kCiphers, cipher, &Cipher::number);
    if (found != std::end(kCiphers)) return std::string(found->name);
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string text = "0x";
    for (int shift = 12; shift >= 0; shift -= 4) text += kDigits[cipher >> shift & 0xF];
    return text;
}

std::optional<ClientHello> read_client_hello(std::string_view body) {
    auto reader = message(body, kClientHello);
    if (!reader) return std::nullopt;
    ClientHello hello;
    reader->take(2 + 32);
    hello.session = reader->vector(1);
    reader->vector(2);  // ciphers
    reader->vector(1);  // compression
    if (!reader->is_good()) return std::nullopt;
    if (reader->is_empty()) return hello;
    Reader extensions(reader->vector(2));
    if (!reader->is_good()) return std::nullopt;
    while (!extensions.is_empty()) {
        const std::uint32_t type = extensions.number(2);
        const std::string_view text = extensions.vector(2);
        if (!extensions.is_good()) return std::nullopt;
        if (type == kServerName) hello.server_name = server_name(text);
        if (type == kAlpn) hello.protocols = protocols(text);
        if (type == kEarlyData) hello.has_early_data = true;
    }
    return hello;
}

std::optional<ServerHello> read_server_hello(std::string_view body) {
    auto reader = message(body, kServerHello);
    if (!reader) return std::nullopt;
    ServerHello hello;
    hello.version = static_cast<std::uint16_t>(reader->number(2));
    const std::string_view random = reader->take(32);
    hello.is_retry =
        std::ranges::equal(random, kRetry, [](char a, unsigned char b) { return static_cast<unsigned char>(a) == b; });
    hello.session = reader->vector(1);
    hello.cipher = static_cast<std::uint16_t>(reader->number(2));
    reader->take(1);
    if (!reader->is_good()) return std::nullopt;
    if (reader->is_empty()) return hello;
    Reader extensions(reader->vector(2));
    if (!reader->is_good()) return std::nullopt;
    while (!extensions.is_empty()) {
        const std::uint32_t type = extensions.number(2);
        const std::string_view text = extensions.vector(2);
        if (!extensions.is_good()) return std::nullopt;
        if (type == kVersions) hello.version = static_cast<std::uint16_t>(Reader(text).number(2));
        if (type == kAlpn) hello.protocol = protocols(text);
        if (type == kSharedKey) hello.has_shared_key = true;
    }
    return hello;
}

void describe_tls(const TlsFacts& facts, spans::SpanBatch& batch, spans::Span& span) {
    const auto add = [&](std::string_view key, std::string_view text) {
        if (!text.empty()) span.attributes.add(key, batch.text(text));
    };
    if (!facts.version.empty()) {
        span.attributes.add(attr::tls_protocol_name, std::string_view(facts.version == "3" ? "ssl" : "tls"));
        add(attr::tls_protocol_version, facts.version);
    }
    add(attr::tls_cipher, facts.cipher);
    add(attr::tls_next_protocol, facts.next_protocol);
    add(attr::tls_client_server_name, facts.server_name);
    if (facts.is_resumed) span.attributes.add(attr::tls_resumed, *facts.is_resumed);
}

bool TlsHandshake::wants_body(unsigned direction, std::uint8_t type) const {
    return !is_over_ && type == kHandshake && !sides_[direction].has_hello;
}

void TlsHandshake::on_record(unsigned direction, std::uint8_t type, std::string_view body, std::uint64_t now_ns) {
    if (is_over_) return;
    Side& side = sides_[direction];
    if (wants_body(direction, type)) {
        on_hello(direction, body, now_ns);
    } else if (!client_ && !server_) {
        is_over_ = type == kApplicationData;  // its begin was not seen
        return;
    }
    if (type == kChangeCipher) side.has_changed_cipher = true;
    if (type == kHandshake && side.has_changed_cipher && !side.finished_ns) side.finished_ns = now_ns;
    if (type == kApplicationData && !side.data_ns) side.data_ns = now_ns;
    check_end();
}

// Events of the two directions come in any order.
void TlsHandshake::check_end() {
    if (!server_ || server_->is_retry) return;
    const bool is_13 = server_->version >= kTls13;
    const auto time_of = [&](const Side& side) { return is_13 ? side.data_ns : side.finished_ns; };
    const bool is_whole = time_of(sides_[0]) && time_of(sides_[1]);
    is_over_ = is_whole || (sides_[0].data_ns && sides_[1].data_ns);
    // Early data hides where the client's handshake ends.
    const std::uint64_t end = std::max(time_of(sides_[0]), time_of(sides_[1]));
    if (is_whole && client_ && !client_->has_early_data && end >= facts_.began_ns) facts_.ended_ns = end;
}

void TlsHandshake::on_hello(unsigned direction, std::string_view body, std::uint64_t now_ns) {
    sides_[direction].has_hello = true;
    if (const auto hello = read_client_hello(body)) {
        if (!facts_.began_ns) facts_.began_ns = now_ns;
        client_ = *hello;
        facts_.server_name = hello->server_name;
        facts_.offered_protocols = hello->protocols;
        if (server_ && !server_->is_retry) agree(*server_);
        return;
    }
    const auto hello = read_server_hello(body);
    if (!hello) return;
    server_ = *hello;
    if (!hello->is_retry) return agree(*hello);
    for (Side& side : sides_) side.has_hello = false;
}

void TlsHandshake::agree(const ServerHello& hello) {
    facts_.version = version_name(hello.version);
    facts_.cipher = cipher_name(hello.cipher);
    facts_.next_protocol = hello.protocol;
    if (hello.version >= kTls13) facts_.is_resumed = hello.has_shared_key;
    // A ticket's session has an id that the client has just made up; the server repeats it when it takes the ticket.
    else if (client_)
        facts_.is_resumed = !hello.session.empty() && hello.session == client_->session;
}

}  // namespace waggle::protocols
