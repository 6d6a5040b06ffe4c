"""Runs redis-py over the commands that the server has, and compares what the client makes of the replies.

usage: roundtrip.py PORT {2|3} {sync|asyncio}

Both kinds of client have the same methods, so one table serves both. Rows whose command the server does not have are named at
the end, never passed over in silence.
"""

import asyncio
import inspect
import sys

import redis
import redis.asyncio

# (command, method, arguments, keyword arguments, what it must return; a function is asked)
ROWS = [
    ("ping", "ping", (), {}, True),
    ("echo", "echo", ("hi",), {}, b"hi"),
    ("set", "set", ("k", "v"), {}, True),
    ("get", "get", ("k",), {}, b"v"),
    ("set", "set", ("k", "w"), {"nx": True}, None),
    ("set", "set", ("k", "w"), {"xx": True, "get": True}, b"v"),
    ("set", "set", ("e", "1"), {"ex": 100}, True),
    ("ttl", "ttl", ("e",), {}, lambda n: 98 <= n <= 100),
    ("pttl", "pttl", ("e",), {}, lambda n: 98000 <= n <= 100000),
    ("persist", "persist", ("e",), {}, True),
    ("ttl", "ttl", ("e",), {}, -1),
    ("expire", "expire", ("e", 50), {}, True),
    ("expiretime", "expiretime", ("e",), {}, lambda n: n > 1_700_000_000),
    ("getex", "getex", ("e",), {"persist": True}, b"1"),
    ("append", "append", ("k", "xyz"), {}, 4),
    ("strlen", "strlen", ("k",), {}, 4),
    ("getrange", "getrange", ("k", 1, 2), {}, b"xy"),
    ("setrange", "setrange", ("k", 1, "YY"), {}, 4),
    ("incr", "incr", ("n",), {}, 1),
    ("incrby", "incrby", ("n", 9), {}, 10),
    ("decrby", "decrby", ("n", 3), {}, 7),
    ("incrbyfloat", "incrbyfloat", ("f", 1.5), {}, 1.5),
    ("mset", "mset", ({"a": "1", "b": "2"},), {}, True),
    ("mget", "mget", (["a", "b", "missing"],), {}, [b"1", b"2", None]),
    ("msetnx", "msetnx", ({"a": "1", "c": "2"},), {}, False),
    ("getset", "getset", ("a", "3"), {}, b"1"),
    ("getdel", "getdel", ("b",), {}, b"2"),
    ("exists", "exists", ("a", "b", "a"), {}, 2),
    ("type", "type", ("a",), {}, b"string"),
    ("rename", "rename", ("a", "a2"), {}, True),
    ("copy", "copy", ("a2", "a3"), {}, True),
    ("touch", "touch", ("a2", "a3"), {}, 2),
    ("dbsize", "dbsize", (), {}, lambda n: n >= 5),
    ("keys", "keys", ("a*",), {}, lambda keys: sorted(keys) == [b"a2", b"a3"]),
    ("randomkey", "randomkey", (), {}, lambda key: isinstance(key, bytes)),
    ("unlink", "unlink", ("a2",), {}, 1),
    ("object", "object", ("encoding", "n"), {}, b"int"),
    ("setbit", "setbit", ("bits", 7, 1), {}, 0),
    ("bitcount", "bitcount", ("bits",), {}, 1),
    ("rpush", "rpush", ("l", "a", "b", "c"), {}, 3),
    ("lrange", "lrange", ("l", 0, -1), {}, [b"a", b"b", b"c"]),
    ("lpop", "lpop", ("l",), {}, b"a"),
    ("blpop", "blpop", (["l"], 1), {}, lambda pair: list(pair) == [b"l", b"b"]),
    ("hset", "hset", ("h",), {"mapping": {"f": "v", "g": "w"}}, 2),
    ("hgetall", "hgetall", ("h",), {}, {b"f": b"v", b"g": b"w"}),
    ("hincrby", "hincrby", ("h", "n", 5), {}, 5),
    ("sadd", "sadd", ("s", "x", "y"), {}, 2),
    ("smembers", "smembers", ("s",), {}, {b"x", b"y"}),
    ("sismember", "sismember", ("s", "x"), {}, lambda n: n == 1),
    ("zadd", "zadd", ("z", {"a": 1, "b": 2.5}), {}, 2),
    ("zscore", "zscore", ("z", "b"), {}, 2.5),
    ("zrange", "zrange", ("z", 0, -1), {}, [b"a", b"b"]),
    ("zrank", "zrank", ("z", "b"), {}, 1),
    ("pfadd", "pfadd", ("p", "a", "b"), {}, 1),
    ("pfcount", "pfcount", ("p",), {}, 2),
    ("xadd", "xadd", ("x", {"f": "v"}, "1-1"), {}, b"1-1"),
    ("xlen", "xlen", ("x",), {}, 1),
    ("xrange", "xrange", ("x",), {}, [(b"1-1", {b"f": b"v"})]),
    ("eval", "eval", ("return {1, ARGV[1]}", 0, "a"), {}, [1, b"a"]),
    ("scan", "scan", (), {"match": "n", "count": 1000}, lambda page: len(page) == 2 and isinstance(page[0], int)),
    ("info", "info", (), {}, lambda info: info["redis_version"].startswith("7.")),
    ("config", "config_get", ("maxmemory",), {}, lambda config: len(config) == 1),
    ("client", "client_id", (), {}, lambda n: n > 0),
    ("client", "client_setname", ("roundtrip",), {}, True),
    ("client", "client_getname", (), {}, lambda name: name in (b"roundtrip", "roundtrip")),
    ("client", "client_list", (), {}, lambda clients: any(c["name"] == "roundtrip" for c in clients)),
    ("command", "command_count", (), {}, lambda n: n > 50),
    ("time", "time", (), {}, lambda pair: len(pair) == 2),
    ("slowlog", "slowlog_len", (), {}, lambda n: n >= 0),
    ("memory", "memory_usage", ("k",), {}, lambda n: n > 10),
]

# What must be refused, and the client's class for it.
REFUSED = [
    (("INCR", "k"), redis.ResponseError),
    (("GET",), redis.ResponseError),
    (("NOSUCHCOMMAND",), redis.ResponseError),
]


async def settle(value):
    """A plain client has the result, the other one something to wait for."""
    return await value if inspect.isawaitable(value) else value


async def run(port, protocol, kind):
    module = redis.asyncio if kind == "asyncio" else redis
    # One connection, or a name given to a connection would not be found on the next.
    client = module.Redis(port=port, protocol=protocol, socket_timeout=30, single_connection_client=True)
    if kind == "asyncio":
        await client.initialize()
    await settle(client.flushall())
    listed = await settle(client.execute_command("COMMAND LIST"))
    known = {(name.decode() if isinstance(name, bytes) else name).lower() for name in listed}
    ran, missing, wrong = 0, set(), 0
    for command, method, args, options, expected in ROWS:
        if command not in known:
            missing.add(command)
            continue
        try:
            got = await settle(getattr(client, method)(*args, **options))
            right = expected(got) if callable(expected) else got == expected
        except redis.RedisError as error:
            got, right = error, False
        ran += 1
        if not right:
            wrong += 1
            print(f"{method}{args}{options or ''} gave {got!r}")
    for words, error in REFUSED:
        ran += 1
        try:
            wrong += 1
            print(f"{words} gave {await settle(client.execute_command(*words))!r}")
        except error:
            wrong -= 1
    for transaction in (False, True):
        pipe = client.pipeline(transaction=transaction)
        pipe.set("p", 1)
        pipe.incr("p")
        pipe.get("p")
        got = await settle(pipe.execute())
        ran += 1
        if got != [True, 2, b"2"]:
            wrong += 1
            print(f"a pipeline (transaction={transaction}) gave {got!r}")
    if "watch" in known:
        wrong += not await watched(module, port, protocol)
        ran += 1
    if "subscribe" in known:
        wrong += not await published(module, port, protocol)
        ran += 1
    else:
        missing.add("subscribe")
    await settle(client.flushall())
    await settle(client.aclose() if kind == "asyncio" else client.close())
    print(f"{ran} calls, {wrong} wrong; not there: {' '.join(sorted(missing)) or 'none'}")
    return wrong == 0


async def watched(module, port, protocol):
    """A key changed by another connection between WATCH and EXEC ends the transaction."""
    client = module.Redis(port=port, protocol=protocol)
    pipe = client.pipeline()
    await settle(pipe.watch("w"))
    await settle(client.set("w", "other"))
    pipe.multi()
    pipe.set("w", "mine")
    try:
        print(f"a watched transaction gave {await settle(pipe.execute())!r}")
        return False
    except redis.WatchError:
        return await settle(client.get("w")) == b"other"
    finally:
        await settle(pipe.reset())
        await settle(client.aclose() if module is redis.asyncio else client.close())


async def published(module, port, protocol):
    client = module.Redis(port=port, protocol=protocol)
    listener = client.pubsub()
    await settle(listener.subscribe("news"))
    first = await settle(listener.get_message(timeout=5))
    await settle(client.publish("news", "hello"))
    second = await settle(listener.get_message(timeout=5))
    await settle(listener.aclose() if module is redis.asyncio else listener.close())
    await settle(client.aclose() if module is redis.asyncio else client.close())
    right = first is not None and second is not None and first["type"] == "subscribe" and second["data"] == b"hello"
    if not right:
        print(f"pub/sub gave {first!r} and {second!r}")
    return right


if __name__ == "__main__":
    sys.exit(not asyncio.run(run(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])))
