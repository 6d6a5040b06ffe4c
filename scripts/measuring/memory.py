"""Memory: resident bytes a key and an element, as the operating system counts them.

Each case has fresh servers. What counts is all that is resident, the empty server's part included: that is what one pays.
"""

import time

from .servers import Pair, Wire, fill, lots_of, template

DAYS = b"8640000"


def run(a, store):
    with Pair(a) as pair:
        row(store, ["an empty server", 1], {server.name: server.settled() for server in pair}, 1, "MB")
    count = a.keys
    shown = f"{count // 1_000_000} M" if count >= 1_000_000 else f"{count // 1000} k"
    for size in (16, 32, 128, 1024):
        for name, more in ((f"values of {size} bytes", ()), (f"values of {size} bytes, with an expiry", (b"EX", DAYS))):
            with Pair(a) as pair:
                for server in pair:
                    fill(server, count, size, *more)
                resident = {server.name: server.settled() for server in pair}
            row(store, [name, shown], resident, count, "bytes a key")
        if size == 32 or a.full:
            churn(a, store, size, count, shown)
    integers(a, store, count, shown)
    for kind in ("list", "hash", "set", "zset"):
        for elements in (10, 1000, 1_000_000):
            aggregate(a, store, kind, elements)


def row(store, key, resident, number, unit):
    ours, theirs = resident.values()
    divisor = 1e6 if unit == "MB" else number
    cells = [f"**{ours / theirs:.2f}**", *(f"{bytes_ / divisor:.1f} {unit}" for bytes_ in (ours, theirs))]
    store.row("memory", key, cells, ratio=round(ours / theirs, 4))


def churn(a, store, size, count, shown):
    """Half of the keys are deleted, and as many others written: holes that nothing fills would show."""
    with Pair(a) as pair:
        for server in pair:
            fill(server, count, size)
            with Wire(server.port) as wire:
                wire.pour(lots_of(template(b"DEL", b"key:%012d"), range(0, count, 2)))
            fill(server, count // 2, size, first=count)
        resident = {server.name: server.settled() for server in pair}
        row(store, [f"values of {size} bytes, half deleted and others written", shown], resident, count, "bytes a key")
        # And what is given back when all is gone.
        for server in pair:
            with Wire(server.port) as wire:
                wire.call("FLUSHALL")
        time.sleep(2)
        resident = {server.name: server.settled() for server in pair}
        row(store, [f"after FLUSHALL of those of {size} bytes", shown], resident, 1, "MB")


def integers(a, store, count, shown):
    with Pair(a) as pair:
        for server in pair:
            with Wire(server.port) as wire:
                wire.pour(lots_of(template(b"SET", b"key:%012d", b"7%012d"), [(n, n) for n in range(count)]))
        resident = {server.name: server.settled() for server in pair}
    row(store, ["integers of 13 digits", shown], resident, count, "bytes a key")


COMMANDS = {
    "list": (b"RPUSH", b"key:%012d", b"item:%012d"),
    "set": (b"SADD", b"key:%012d", b"item:%012d"),
    "hash": (b"HSET", b"key:%012d", b"name:%012d", b"val:%012d"),
    "zset": (b"ZADD", b"key:%012d", b"%012d", b"item:%012d"),
}


def aggregate(a, store, kind, elements):
    """A million elements in values of one size: what an element costs, its key's part included."""
    total = 1_000_000
    pattern = template(*COMMANDS[kind])
    # Scores and values are the element's number again.
    fields = pattern.count(b"%012d") - 1
    with Pair(a) as pair:
        for server in pair:
            numbers = [(n // elements, *[n] * fields) for n in range(total)]
            with Wire(server.port) as wire:
                wire.pour(lots_of(pattern, numbers))
        resident = {server.name: server.settled() for server in pair}
    shown = "1 M" if elements == 1_000_000 else str(elements)
    plural = "hashes" if kind == "hash" else f"{kind}s"
    row(store, [f"{plural}, a million elements of 17 bytes in all", shown], resident, total, "bytes an element")
