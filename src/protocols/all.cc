// SPDX-License-Identifier: Apache-2.0
// The table of protocols, in the order in which they are asked.
#include <algorithm>
#include <array>

#include "base/strings.h"
#include "protocols/amqp/amqp.h"
#include "protocols/dns/dns.h"
#include "protocols/exchange.h"
#include "protocols/fastcgi/fastcgi.h"
#include "protocols/http1/http1.h"
#include "protocols/http2/http2.h"
#include "protocols/jsonrpc/jsonrpc.h"
#include "protocols/kafka/kafka.h"
#include "protocols/memcached/memcached.h"
#include "protocols/mongodb/mongodb.h"
#include "protocols/mqtt/mqtt.h"
#include "protocols/mysql/mysql.h"
#include "protocols/nats/nats.h"
#include "protocols/postgres/postgres.h"
#include "protocols/protocol.h"
#include "protocols/redis/redis.h"
#include "protocols/smtp/smtp.h"

namespace waggle::protocols {

std::span<const Protocol* const> all() {
    static constexpr auto kAll = std::to_array<const Protocol*>({
        &http1::kHttp1,
        &http2::kHttp2,
        &postgres::kPostgres,
        &mysql::kMysql,
        &redis::kRedis,
        &memcached::kMemcached,
        &kafka::kKafka,
        &mongodb::kMongodb,
        &fastcgi::kFastcgi,
        &amqp::kAmqp,
        &nats::kNats,
        &mqtt::kMqtt,
        &dns::kDns,
        &smtp::kSmtp,
        &jsonrpc::kJsonRpc,
    });
    static_assert(kAll.size() <= WG_FRAMINGS);
    return kAll;
}

std::size_t counted_as(std::string_view span_protocol) {
    // gRPC is told by what HTTP/2 carries.
    const std::string_view name = span_protocol == "grpc" ? http2::kHttp2.name : span_protocol;
    const auto found = std::ranges::find_if(all(), [&](const Protocol* protocol) { return protocol->name == name; });
    return static_cast<std::size_t>(found - all().begin());
}

std::span<const DatagramProtocol* const> datagram_protocols() {
    static constexpr auto kAll = std::to_array<const DatagramProtocol*>({
        &dns::kDnsDatagrams,
    });
    return kAll;
}

const Protocol* upgraded_to(std::string_view token) {
    for (const Protocol* protocol : all())
        if (protocol->take_over && equals_ignoring_case(protocol->upgrade_token, token)) return protocol;
    return nullptr;
}

std::unique_ptr<Handover> Session::take_handover() { return nullptr; }

}  // namespace waggle::protocols
