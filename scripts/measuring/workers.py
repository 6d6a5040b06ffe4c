"""Workers: the same commands on one, two, four and eight of them, more than there may be cores.

What is global on a command's path would show as CPU time that grows with their number.
"""

import statistics

from .load import Load, rounds
from .servers import OURS, THEIRS, Server, fill
from .throughput import flows

COUNTS = (1, 2, 4, 8)


def run(a, store):
    servers = []
    try:
        for count in COUNTS:
            servers.append(Server(OURS, a.binary, "off", ["--io-threads", count]))
            servers[-1].workers = count
        servers.append(Server(THEIRS, "redis-server"))
        servers[-1].workers = 0
        for server in servers:
            fill(server, a.keys, a.size)
        for command in ("SET", "GET"):
            load = Load(flows(command, a.size), pipeline=16, keys=a.keys, seconds=a.seconds)
            load.size(servers)
            got = {server.workers: [] for server in servers}
            for order in rounds(servers, a.rounds):
                for server in order:
                    got[server.workers].append(load.run(server))
            # A round counts only where it succeeded on all.
            whole = [at for at in range(a.rounds) if all(outcomes[at] for outcomes in got.values())]
            if not whole:
                raise SystemExit("in every round a thread of a server ended: no CPU time can be told")
            for count in COUNTS:
                tell(store, command, count, got, whole)
    finally:
        for server in servers:
            server.stop()


def tell(store, command, count, got, whole):
    def ratios(other, name):
        return [getattr(got[count][at], name) / getattr(got[other][at], name) for at in whole]

    one, redis = ratios(1, "cpu"), ratios(0, "cpu")
    cells = [f"**{statistics.median(one):.2f}** ({min(one):.2f}-{max(one):.2f})"]
    cells += [f"{statistics.median(redis):.2f} ({min(redis):.2f}-{max(redis):.2f})"]
    cells += [f"{statistics.median(got[count][at].cpu for at in whole) / 1000:.2f} µs"]
    cells += [f"{statistics.median(ratios(1, 'rps')):.2f}x"]
    store.row("workers", [command, count], cells, one=round(statistics.median(one), 4), redis=round(statistics.median(redis), 4))
