// SPDX-License-Identifier: Apache-2.0
// The table of protocols, in the order in which they are asked.
#include <array>

#include "protocols/http1/http1.h"
#include "protocols/memcached/memcached.h"
#include "protocols/postgres/postgres.h"
#include "protocols/protocol.h"
#include "protocols/redis/redis.h"

namespace waggle::protocols {

std::span<const Protocol* const> all() {
    static constexpr std::array<const Protocol*, 4> kAll = {
        &http1::kHttp1,
        &postgres::kPostgres,
        &redis::kRedis,
        &memcached::kMemcached,
    };
    return kAll;
}

}  // namespace waggle::protocols
