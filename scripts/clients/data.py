"""Fills a server with data of every kind, and compares two servers key by key.

usage: data.py fill PORT KNOWN_PORT [PREFIX]   writes to PORT with the commands that KNOWN_PORT has
       data.py same PORT PORT                  fails with the first differences

Values are compared as a client reads them, deadlines to the millisecond. So the comparison says nothing of encodings, and
holds between servers of different makes.
"""

import sys

import redis

DATABASES = (0, 3)
BIG = bytes(range(256)) * 400

# Deadlines far enough away that nothing expires while a comparison runs.
DEADLINE_MS = 4_000_000_000_123

ROWS = [
    ("SET", "text", "some text"),
    ("SET", "empty", ""),
    ("SET", b"binary \x00\xff\r\n key", b"binary \x00\xff\r\n value"),
    ("SET", "number", "9223372036854775807"),
    ("SET", "negative", "-1"),
    ("SET", "big", BIG),
    ("SET", "repetitive", "ab" * 5000),
    ("SET", "deadline", "v", "PXAT", DEADLINE_MS),
    ("SETEX", "seconds", 1000000, "v"),
    ("SET", "persisted", "v", "EX", 1000000),
    ("PERSIST", "persisted"),
    ("SET", "moved", "v", "EX", 1000000),
    ("RENAME", "moved", "renamed"),
    ("SET", "deleted", "v"),
    ("DEL", "deleted"),
    ("INCRBY", "counter", 42),
    ("INCRBYFLOAT", "float", "3.25"),
    ("APPEND", "text", " and more"),
    ("SETRANGE", "range", 10, "padded"),
    ("SETBIT", "bits", 77, 1),
    ("MSET", "m1", "1", "m2", "2"),
    ("EXPIRE", "m1", 1000000),
    ("COPY", "text", "copied"),
    ("RPUSH", "list", *(f"e{n}" for n in range(50))),
    ("RPUSH", "long list", *(f"element number {n}" for n in range(2000))),
    ("LPUSH", "list", "", b"\x00\xff", "-12"),
    ("PEXPIREAT", "list", DEADLINE_MS),
    ("SADD", "ints", *range(-50, 300, 7)),
    ("SADD", "big ints", 1, 70000, 2**40, -(2**40)),
    ("SADD", "set", *(f"m{n}" for n in range(30))),
    ("SADD", "large set", *(f"member {n}" for n in range(2000))),
    ("HSET", "hash", "f", "v", "", "", b"\x00", b"\xff"),
    ("HSET", "large hash", *(word for n in range(1000) for word in (f"f{n}", f"v{n}"))),
    ("ZADD", "zset", 1, "a", "1.5", "b", "-inf", "c", "inf", "d", "3.0000000000000004", "e"),
    ("ZADD", "large zset", *(word for n in range(1000) for word in (n / 3, f"z{n}"))),
    ("XADD", "stream", "1-1", "a", "1", "b", "2"),
    ("XADD", "stream", "1-2", "a", "3", "b", "4"),
    ("XADD", "stream", "5-0", "other", "x"),
    ("XDEL", "stream", "1-2"),
    ("XGROUP", "CREATE", "stream", "group", "0"),
    ("XREADGROUP", "GROUP", "group", "someone", "COUNT", 1, "STREAMS", "stream", ">"),
    ("XADD", "long stream", "MAXLEN", "~", 500, "*", "f", "v"),
    *(("XADD", "long stream", "MAXLEN", "~", 500, "*", "number", n, "text", f"entry {n}") for n in range(1000)),
    ("XGROUP", "CREATE", "long stream", "group", "0"),
    ("XREADGROUP", "GROUP", "group", "someone", "COUNT", 300, "STREAMS", "long stream", ">"),
    ("XAUTOCLAIM", "long stream", "group", "another", 0, "0", "COUNT", 50, "JUSTID"),
    ("PFADD", "visitors", *(f"v{n}" for n in range(500))),
    ("GEOADD", "places", "13.36", "38.11", "Palermo"),
]

# Where the words of a row's key stand: a prefix makes a second set of keys.
KEYS_AT = {"MSET": (1, 3), "RENAME": (1, 2), "COPY": (1, 2), "XGROUP": (2,), "XREADGROUP": (7,)}

READS = {
    b"string": [("GET",)],
    b"list": [("LRANGE", 0, -1)],
    b"set": [("SMEMBERS",)],
    b"hash": [("HGETALL",)],
    b"zset": [("ZRANGE", 0, -1, "WITHSCORES")],
    b"stream": [("XRANGE", "-", "+")],
}


def connect(port, database):
    client = redis.Redis(port=port, db=database, protocol=2, socket_timeout=30)
    # The replies as they come: what a client library makes of them is not what is compared here.
    client.response_callbacks.clear()
    return client


def fill(port, known_port, prefix):
    known = {name.lower() for name in connect(known_port, 0).execute_command("COMMAND LIST")}
    done, missing = 0, set()
    for database in DATABASES:
        client = connect(port, database)
        for row in ROWS:
            if row[0].lower().encode() not in known:
                missing.add(row[0])
                continue
            words = list(row)
            for at in KEYS_AT.get(row[0], (1,)):
                word = words[at] if isinstance(words[at], bytes) else words[at].encode()
                words[at] = prefix.encode() + word
            client.execute_command(*words)
            done += 1
    print(f"{done} commands; not there: {' '.join(sorted(missing)) or 'none'}")
    assert done >= 20, "next to nothing could be written"


def content(client, key):
    kind = client.execute_command("TYPE", key)
    value = []
    for verb, *rest in READS[kind]:
        reply = client.execute_command(verb, key, *rest)
        if kind == b"set":
            reply = sorted(reply)
        elif kind == b"hash":
            # Cleared callbacks leave a flat list: field, value, field, value.
            reply = sorted(zip(reply[::2], reply[1::2]))
        value.append(reply)
    return kind, client.execute_command("PEXPIRETIME", key), value


def everything(port):
    found = {}
    for database in range(16):
        client = connect(port, database)
        for key in client.execute_command("KEYS", "*"):
            found[database, key] = content(client, key)
    return found


def same(one, other):
    one, other = everything(one), everything(other)
    wrong = 0
    for where in sorted(one.keys() | other.keys()):
        a, b = one.get(where), other.get(where)
        if a != b:
            wrong += 1
            if wrong <= 10:
                print(f"{where}: {str(a)[:200]} is not {str(b)[:200]}")
    print(f"{len(one)} and {len(other)} keys, {wrong} differ")
    assert one, "nothing to compare"
    return wrong == 0


if __name__ == "__main__":
    what, first, second, *rest = sys.argv[1:]
    if what == "fill":
        fill(int(first), int(second), rest[0] if rest else "")
    else:
        sys.exit(not same(int(first), int(second)))
