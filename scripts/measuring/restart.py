"""Restart: seconds until the data is served again after a kill, from increments and from a base."""

import statistics
import time

from .load import rounds
from .servers import Pair, Wire, fill
from .throughput import thousands


def run(a, store):
    count = 5_000_000 if a.full else 1_000_000
    with Pair(a, "everysec") as pair:
        for server in pair:
            fill(server, count, a.size)
        # The last second's writes reach the files before the kill.
        time.sleep(1.5)
        again(a, store, pair, "increments", count)
        for server in pair:
            with Wire(server.port) as wire:
                wire.call("BGREWRITEAOF")
                while wire.info("aof_rewrite_in_progress") != "0" or wire.info("aof_rewrite_scheduled") != "0":
                    time.sleep(0.1)
                if wire.info("aof_last_bgrewrite_status") != "ok":
                    raise SystemExit(f"{server.name} could not rewrite its log")
        again(a, store, pair, "a base", count)


def again(a, store, pair, source, count):
    taken = {server.name: [] for server in pair}
    for order in rounds(list(pair), a.rounds):
        for server in order:
            server.kill()
            taken[server.name].append(server.start())
            with Wire(server.port) as wire:
                found = wire.call("DBSIZE")
            if found != count:
                raise SystemExit(f"{server.name} came back with {found} of {count} keys")
    ours, theirs = taken.values()
    ratios = [one / other for one, other in zip(ours, theirs)]
    ratio = statistics.median(ratios)
    cells = [f"**{ratio:.2f}** ({min(ratios):.2f}-{max(ratios):.2f})"]
    cells += [f"{statistics.median(seconds):.2f} s" for seconds in (ours, theirs)]
    store.row("restart", [source, thousands(count)], cells, time=round(ratio, 4))
