# SPDX-License-Identifier: Apache-2.0
"""Calls Redis or Memcached by the driver that is named, when a line comes in; then waits for the end of its input."""
import sys

driver, port = sys.argv[1], int(sys.argv[2])


def by_redis(protocol):
    import redis
    db = redis.Redis(port=port, db=2, protocol=protocol)
    db.set("basket", "secret")
    db.get("basket")
    try:
        db.lpush("basket", "x")
    except redis.ResponseError:
        pass
    pipe = db.pipeline(transaction=True)
    pipe.set("a", 1).incr("a")
    pipe.execute()
    sys.stdin.readline()
    db.set("big", "x" * 200000)
    db.get("big")
    db.rpush("list", *range(1500))
    db.lrange("list", 0, -1)
    db.ping()
    return db


def by_pymemcache():
    from pymemcache.client.base import Client
    cache = Client(("127.0.0.1", port), no_delay=True)
    cache.set("basket", "secret", noreply=False)
    cache.get("basket")
    cache.set_many({"a": "1", "b": "2"}, noreply=False)
    cache.get_many(["a", "b", "none"])
    cache.delete("a", noreply=True)
    cache.set("big", "x" * 200000, noreply=False)
    cache.get("big")
    cache.incr("n", 1)
    return cache


def by_bmemcached():
    """By binary commands, quiet ones where there are several."""
    import bmemcached
    cache = bmemcached.Client((f"127.0.0.1:{port}",))
    cache.set("basket", "secret")
    cache.get("basket")
    cache.set_multi({"a": "1", "b": "2"})
    cache.get_multi(["a", "b", "none"])
    cache.delete("a")
    cache.set("big", "x" * 200000)
    cache.get("big")
    try:
        cache.incr("basket", 1)
    except bmemcached.exceptions.MemcachedException:
        pass
    return cache


def by_meta():
    from meta_memcache import CacheClient, Key, ServerAddress, connection_pool_factory_builder
    cache = CacheClient.cache_client_from_servers([ServerAddress("127.0.0.1", port)], connection_pool_factory_builder())
    cache.set(Key("basket"), "secret", ttl=60)
    cache.get(Key("basket"))
    cache.multi_get([Key("basket"), Key("none")])
    cache.delta(Key("none"), delta=1)
    cache.delete(Key("basket"))
    cache.set(Key("big"), "x" * 200000, ttl=60)
    cache.get(Key("big"))
    return cache


sys.stdin.readline()
kept = {"redis2": lambda: by_redis(2), "redis3": lambda: by_redis(3), "pymemcache": by_pymemcache, "bmemcached": by_bmemcached,
        "meta": by_meta}[driver]()
print("done", flush=True)
sys.stdin.read()
