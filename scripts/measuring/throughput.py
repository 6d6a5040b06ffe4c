"""Throughput: what an operation costs, how many a second, how long one waits."""

import threading
import time

from .load import KEY, Flow, Load, compare
from .servers import Pair, Wire, fill, lots_of, template

TYPES = ("LPUSH", "RPOP", "LRANGE_100", "HSET", "SADD", "SPOP", "ZADD", "ZPOPMIN")
PARTS = ("strings", "types", "keys", "connections", "always")


def flows(command, size):
    value = "x" * size
    return {
        "SET": [Flow(["SET", KEY, value])],
        "GET": [Flow(["GET", KEY])],
        "INCR": [Flow(["INCR", "counter:__rand_int__"])],
        "MSET": [Flow(["MSET", *(word for _ in range(10) for word in (KEY, value))])],
        # Ten readers beside each writer: both sides wait for their answers, so the requests come in about this proportion.
        "MIXED": [Flow(["SET", KEY, value], 1 / 11), Flow(["GET", KEY], 10 / 11)],
        "LPUSH": [Flow(["LPUSH", "list:push", value])],
        "RPOP": [Flow(["RPOP", "list:pop"])],
        "LRANGE_100": [Flow(["LRANGE", "list:range", "0", "99"])],
        "HSET": [Flow(["HSET", "hash", "field:__rand_int__", value])],
        "SADD": [Flow(["SADD", "set:add", "element:__rand_int__"])],
        "SPOP": [Flow(["SPOP", "set:pop"])],
        "ZADD": [Flow(["ZADD", "zset:add", "__rand_int__", "element:__rand_int__"])],
        "ZPOPMIN": [Flow(["ZPOPMIN", "zset:pop"])],
    }[command]


# What must be there before a round: the key, and the command that puts an element into it. Where elements are taken, there
# must be one for each request; the list that is read has a thousand.
STOCK = {
    "RPOP": ("list:pop", "LLEN", template(b"LPUSH", b"list:pop", b"element:%012d")),
    "LRANGE_100": ("list:range", "LLEN", template(b"LPUSH", b"list:range", b"element:%012d")),
    "SPOP": ("set:pop", "SCARD", template(b"SADD", b"set:pop", b"element:%012d")),
    "ZPOPMIN": ("zset:pop", "ZCARD", template(b"ZADD", b"zset:pop", b"%012d", b"element:%012d")),
}


def prepare(command):
    if command == "LPUSH":
        return lambda server, _: ask(server, "DEL", "list:push")
    if command not in STOCK:
        return None
    key, count, pattern = STOCK[command]
    twice = command == "ZPOPMIN"

    def stock(server, requests):
        wanted = 1000 if command == "LRANGE_100" else requests
        with Wire(server.port) as wire:
            there = wire.call(count, key)
            if there < wanted:
                # From where a number was left off would be wrong after random pops: sets are filled anew.
                if command == "SPOP":
                    wire.call("DEL", key)
                    there = 0
                numbers = range(there, wanted)
                wire.pour(lots_of(pattern, [(n, n) for n in numbers] if twice else numbers))
            # Elements that other rounds left would make the two servers' values differ in size.
            assert wire.call(count, key) >= wanted

    return stock


def ask(server, *words):
    with Wire(server.port) as wire:
        return wire.call(*words)


def load(a, command, pipeline, clients, keys):
    pops = command in STOCK and command != "LRANGE_100"
    return Load(
        flows(command, a.size),
        pipeline=pipeline,
        clients=clients,
        keys=keys,
        seconds=a.seconds,
        prepare=prepare(command),
        requests_max=400_000 if pops else 50_000_000,
    )


def cell(a, store, table, key, servers, command, pipeline, clients, keys, alone=True):
    c = compare(load(a, command, pipeline, clients, keys), list(servers), a.rounds)

    def three(outcome):
        return f"{outcome.p50:.2f} / {outcome.p99:.2f} / {outcome.p999:.2f}"

    def own(outcome):
        cpu = f"{outcome.cpu / 1000:.2f} µs, " if alone else ""
        return f"{cpu}{outcome.rps:,.0f}/s, {three(outcome)} ms"

    # What others let the server do at the same time is no cost of this command.
    cells = [
        f"**{c.ratio.cpu:.2f}** ({c.low.cpu:.2f}-{c.high.cpu:.2f})" if alone else "",
        f"{c.ratio.rps:.2f}x ({c.low.rps:.2f}-{c.high.rps:.2f})",
        three(c.ratio),
        own(c.ours),
        own(c.theirs),
    ]
    numbers = {name: round(getattr(c.ratio, name), 4) for name in ("cpu", "rps", "p50", "p99", "p999") if alone or name != "cpu"}
    store.row(table, key, cells, **numbers)


def thousands(number):
    return f"{number // 1_000_000} M" if number >= 1_000_000 else f"{number // 1000} k"


def run(a, store):
    for part in a.parts.split(",") if a.parts else PARTS:
        {"strings": strings, "types": types, "keys": keys, "connections": connections, "always": always}[part](a, store)


def strings(a, store):
    for log in a.logs.split(","):
        with Pair(a, log) as pair:
            for server in pair:
                fill(server, a.keys, a.size)
            for command in a.only.split(","):
                if command == "INCR":
                    # All counters are there, or the first depths would measure how the table grows.
                    for server in pair:
                        with Wire(server.port) as wire:
                            wire.pour(lots_of(template(b"SET", b"counter:%012d", b"100"), range(a.keys)))
                for pipeline in map(int, a.pipelines.split(",")):
                    cell(a, store, "strings", [log, command, pipeline], pair, command, pipeline, 50, a.keys)


def types(a, store):
    with Pair(a) as pair:
        for command in TYPES:
            for pipeline in (1, 16, 64) if a.full else (16,):
                cell(a, store, "types", [command, pipeline], pair, command, pipeline, 50, a.keys)


def keys(a, store):
    for count in (100_000, 1_000_000, 10_000_000) if a.full else (100_000, 4_000_000):
        with Pair(a) as pair:
            for server in pair:
                fill(server, count, a.size)
            for command in ("SET", "GET"):
                for pipeline in (1, 16, 64) if a.full else (16,):
                    cell(a, store, "keys", [thousands(count), command, pipeline], pair, command, pipeline, 50, count)


def connections(a, store):
    with Pair(a) as pair:
        for server in pair:
            fill(server, a.keys, a.size)
        for clients in (1, 50, 1000, 10_000) if a.full else (1, 1000):
            for command in ("SET", "GET"):
                for pipeline in (1, 16):
                    cell(a, store, "connections", [clients, command, pipeline], pair, command, pipeline, clients, a.keys)


def always(a, store):
    """Writes that wait for the disk, and reads beside them, which need not."""
    with Pair(a, "always") as pair:
        for server in pair:
            fill(server, min(a.keys, 100_000), a.size)
        for clients in (50, 500):
            cell(a, store, "always", ["SET", clients], pair, "SET", 1, clients, 100_000)
        writers = []
        over = threading.Event()
        for server in pair:
            writers.append(threading.Thread(target=write_on, args=(a, server, over)))
            writers[-1].start()
        try:
            time.sleep(0.3)
            cell(a, store, "always", ["GET, with 50 others that SET", 50], pair, "GET", 1, 50, 100_000, alone=False)
        finally:
            over.set()
            for writer in writers:
                writer.join()


def write_on(a, server, over):
    """Writes as long as reads are measured: 50 connections, one redis-benchmark after the other."""
    side = Load(flows("SET", a.size), clients=50, keys=100_000)
    while not over.is_set():
        side.run(server, 2000)
