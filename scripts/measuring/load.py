"""Load by redis-benchmark, and what it cost the server.

The cost is the server's CPU time for an operation, which the load generator beside it disturbs least: the sum over all
threads of the nanoseconds that the scheduler counted (/proc/PID/task/*/schedstat). A thread that ends during a round
would take its time with it, so that is looked for and the round is thrown away.
"""

import re
import statistics
import subprocess
import sys
from dataclasses import dataclass, field

from .servers import OURS, THEIRS

KEY = "key:__rand_int__"


@dataclass
class Outcome:
    """One run: requests a second, milliseconds at the percentiles, CPU nanoseconds an operation."""

    rps: float
    p50: float
    p99: float
    p999: float
    cpu: float = 0.0


@dataclass
class Flow:
    """One redis-benchmark: a command, a depth, and its share of the requests and of the connections."""

    words: list
    share: float = 1.0


@dataclass
class Load:
    """What is measured in a cell: one flow, or several at the same time."""

    flows: list
    pipeline: int = 1
    clients: int = 50
    keys: int = 1_000_000
    seconds: float = 1.0
    # Brings a server into the state that the commands need, before each round: called with the server and the requests.
    prepare: object = None
    requests_max: int = 50_000_000
    requests: int = field(default=0, init=False)

    def run(self, server, requests=None):
        """The outcome on this server; None if one of its threads ended meanwhile."""
        requests = requests or self.requests
        if self.prepare:
            self.prepare(server, requests)
        before = server.threads()
        running = [self.begin(server, flow, requests) for flow in self.flows]
        outputs = [process.communicate()[0] for process in running]
        after = server.threads()
        if any(process.returncode for process in running):
            sys.exit(f"redis-benchmark failed on {server.name}:\n{outputs}")
        if before.keys() - after.keys():
            return None
        parts = [read(output) for output in outputs]
        spent = sum(after.values()) - sum(before.values())
        slowest = {name: max(getattr(part, name) for part in parts) for name in ("p50", "p99", "p999")}
        return Outcome(sum(part.rps for part in parts), cpu=spent / requests, **slowest)

    def begin(self, server, flow, requests):
        clients, share = max(1, round(self.clients * flow.share)), max(1, round(requests * flow.share))
        call = ["redis-benchmark", "-p", server.port, "-c", clients, "-n", share, "-P", self.pipeline, "-r", self.keys]
        command = [*map(str, call), "--precision", "3", *flow.words]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def size(self, servers):
        """Finds how many requests take redis-server about the wanted time, and warms both servers up."""
        least = max(4000, self.clients * self.pipeline * 4) * (1 if self.pipeline == 1 else 5)
        first = max(1000, min(least, self.requests_max))
        for server in servers:
            outcome = self.run(server, first)
            if server.name == THEIRS and outcome:
                self.requests = min(self.requests_max, max(first, int(outcome.rps * self.seconds)))
        self.requests = self.requests or first


def read(output):
    """What redis-benchmark printed, its lines of progress left aside."""
    rps = re.search(r"throughput summary: ([\d.]+)", output)
    summary = re.search(r"avg +min +p50 +p95 +p99 +max\s+" + r"([\d.]+) +" * 5 + r"([\d.]+)", output)
    if not rps or not summary:
        sys.exit(f"redis-benchmark said something else than expected:\n{output[-2000:]}")
    steps = re.findall(r"^([\d.]+)% <= ([\d.]+) milliseconds", output, re.M)
    p999 = next(float(ms) for percent, ms in steps if float(percent) >= 99.9)
    return Outcome(float(rps.group(1)), float(summary.group(3)), float(summary.group(5)), p999)


def rounds(servers, count):
    """The servers in an order that takes turns: first to last, then last to first, and so on."""
    for number in range(count):
        yield servers if number % 2 == 0 else servers[::-1]


@dataclass
class Compared:
    """Medians over the rounds: of the ratios within a round, and of both servers' own figures."""

    ratio: Outcome
    low: Outcome
    high: Outcome
    ours: Outcome
    theirs: Outcome


NAMES = ("rps", "p50", "p99", "p999", "cpu")


def over(outcomes, how):
    return Outcome(**{name: how(getattr(outcome, name) for outcome in outcomes) for name in NAMES})


def divided(one, other):
    def part(name):
        below = getattr(other, name)
        return getattr(one, name) / below if below else 1.0

    return Outcome(**{name: part(name) for name in NAMES})


def compare(load, servers, count):
    """Measures a cell on (ours, theirs)."""
    load.size(servers)
    pairs = []
    for order in rounds(servers, count):
        got = {server.name: load.run(server) for server in order}
        if all(got.values()):
            pairs.append((got[OURS], got[THEIRS]))
    if not pairs:
        sys.exit("in every round a thread of a server ended: no CPU time can be told")
    ratios = [divided(ours, theirs) for ours, theirs in pairs]
    return Compared(
        ratio=over(ratios, statistics.median),
        low=over(ratios, min),
        high=over(ratios, max),
        ours=over([ours for ours, _ in pairs], statistics.median),
        theirs=over([theirs for _, theirs in pairs], statistics.median),
    )
