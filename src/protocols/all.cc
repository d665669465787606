// SPDX-License-Identifier: Apache-2.0
// The table of protocols, in the order in which they are asked.
#include <array>

#include "base/strings.h"
#include "protocols/exchange.h"
#include "protocols/http1/http1.h"
#include "protocols/http2/http2.h"
#include "protocols/kafka/kafka.h"
#include "protocols/memcached/memcached.h"
#include "protocols/mysql/mysql.h"
#include "protocols/postgres/postgres.h"
#include "protocols/protocol.h"
#include "protocols/redis/redis.h"

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
