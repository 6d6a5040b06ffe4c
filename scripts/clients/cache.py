"""Runs redis-py with its client-side cache: values come from the cache until another client changes them.

usage: cache.py PORT
"""

import sys
import time

import redis
from redis.cache import CacheConfig


def wait_for(what, told):
    """Asks again until it is so: what another client did arrives a moment later."""
    end = time.monotonic() + 10
    while not told():
        if time.monotonic() > end:
            sys.exit(f"in vain: {what}")
        time.sleep(0.01)


def main():
    port = int(sys.argv[1])
    cached = redis.Redis(port=port, protocol=3, cache_config=CacheConfig())
    other = redis.Redis(port=port)
    other.flushdb()
    other.mset({"one": "1", "two": "2"})
    other.hset("person", "name", "Ann")

    asked = lambda: int(other.info("commandstats").get("cmdstat_get", {"calls": 0})["calls"])
    assert cached.get("one") == b"1"
    before = asked()
    assert all(cached.get("one") == b"1" for _ in range(100))
    assert asked() == before, "the cache was not used"
    assert cached.get_cache().size == 1

    other.set("one", "changed")
    wait_for("another client's SET", lambda: cached.get("one") == b"changed")
    assert cached.mget("one", "two") == [b"changed", b"2"]
    assert cached.hgetall("person") == {b"name": b"Ann"}
    other.hset("person", "name", "Bob")
    wait_for("another client's HSET", lambda: cached.hgetall("person") == {b"name": b"Bob"})
    other.set("two", "gone soon", px=30)
    wait_for("a key whose time has come", lambda: cached.get("two") is None)
    cached.set("one", "by itself")
    wait_for("its own SET", lambda: cached.get("one") == b"by itself")
    with other.pipeline() as transaction:
        transaction.set("one", "1").set("person2", "x").execute()
    wait_for("a transaction", lambda: cached.get("one") == b"1")
    other.flushall()
    wait_for("FLUSHALL", lambda: cached.get("one") is None and cached.hgetall("person") == {})
    print("the cache was used, and never kept what had changed")


main()
