"""Stalls: the longest wait of a client while something large happens to the server that it asks.

The client is a process of its own with one question under way (a GET of a key that is always there), over several
connections in turn, so that each of the server's threads is met. It asks for the scheduler's first attention where it may,
because its own waiting for a core is nothing that the server could help; what is left of that hits both servers alike.
"""

import gc
import multiprocessing
import os
import statistics
import subprocess
import threading
import time

from .servers import Pair, Wire, encode, fill, lots_of, template
from .throughput import thousands

CONNECTIONS = 4
PAUSE = 0.0003


def probe(port, pipe, over):
    gc.disable()
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    except OSError:
        pass
    wires = [Wire(port) for _ in range(CONNECTIONS)]
    question = encode(["GET", "probe"])
    waits = []
    pipe.send("ready")
    while not over.is_set():
        for wire in wires:
            began = time.perf_counter()
            wire.socket.sendall(question)
            wire.socket.recv(100)
            waits.append((began, time.perf_counter() - began))
            time.sleep(PAUSE)
    pipe.send(waits)


class Probe:
    """Asks from entering to leaving; `waits` has (when, how long) in seconds then."""

    def __init__(self, server):
        self.server = server
        with Wire(server.port) as wire:
            wire.call("SET", "probe", "x")

    def __enter__(self):
        self.over = multiprocessing.Event()
        self.pipe, other = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=probe, args=(self.server.port, other, self.over), daemon=True)
        self.process.start()
        self.pipe.recv()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.waits = self.pipe.recv()
        self.process.join()

    def of(self, low=0.0, high=float("inf")):
        """Longest wait and 99.9th percentile between two times, in milliseconds."""
        waits = sorted(wait for began, wait in self.waits if low <= began <= high)
        return waits[-1] * 1000, waits[int(len(waits) * 0.999)] * 1000


def run(a, store):
    million = 1_000_000
    many = 10 * million if a.full else 2 * million
    compare(a, store, "inserts", many, inserts)
    compare(a, store, "the expiry of all at once", million, expiry)
    compare(a, store, "FLUSHALL", many, flush)
    rewrite(a, store, 5 * million if a.full else million)


def compare(a, store, what, count, happen):
    """`happen` does it to a server, between two times that it returns, while the client asks. What is shown is the median of the
    rounds: now and then the machine itself stands still for some ms, whoever is asked."""
    found = {}
    with Pair(a) as pair:
        for _ in range(a.rounds):
            for server in pair:
                with Probe(server) as asking:
                    began, ended = happen(server, count, a.size)
                found.setdefault(server.name, []).append((*asking.of(began, ended), ended - began))
                with Wire(server.port) as wire:
                    wire.call("FLUSHALL")
                server.settled()
    ours, theirs = ([statistics.median(figures) for figures in zip(*rounds)] for rounds in found.values())
    cells = [f"**{ours[0] / theirs[0]:.2f}**", *(f"{longest:.2f}, {p999:.2f} ms" for longest, p999, _ in (ours, theirs))]
    cells.append(f"{ours[2]:.1f} s, {theirs[2]:.1f} s")
    store.row("stalls", [what, thousands(count)], cells, ratio=round(ours[0] / theirs[0], 4), longest=round(ours[0], 3))


def inserts(server, count, size):
    began = time.perf_counter()
    # Small lots: what one batch takes is no stall.
    with Wire(server.port) as wire:
        wire.pour(lots_of(template(b"SET", b"key:%012d", b"x" * size), range(count), 50))
    return began, time.perf_counter()


def expiry(server, count, size):
    # All keys must be there before the first one's time has come.
    for lead in (5, 10, 20, 40):
        deadline = int((time.time() + lead) * 1000)
        fill(server, count, size, b"PXAT", b"%d" % deadline)
        left = deadline / 1000 - time.time()
        if left > 0.5:
            break
    time.sleep(max(0.0, left - 0.2))
    began = time.perf_counter()
    with Wire(server.port) as wire:
        while wire.call("DBSIZE") > 1 and time.perf_counter() - began < 60:
            time.sleep(0.05)
    return began, time.perf_counter()


def flush(server, count, size):
    fill(server, count, size)
    time.sleep(0.5)
    began = time.perf_counter()
    with Wire(server.port) as wire:
        wire.call("FLUSHALL")
        # What is freed after the answer may make others wait as well.
        time.sleep(0.5)
    return began, time.perf_counter()


def rewrite(a, store, count):
    """Writes go on during a rewrite: what it adds to the waits, and to the memory."""
    with Pair(a, "everysec") as pair:
        for server in pair:
            fill(server, count, a.size)
            time.sleep(1)
            over = threading.Event()
            writer = threading.Thread(target=overwrite, args=(server, count, a.size, over))
            with Probe(server) as asking:
                writer.start()
                try:
                    # The writer's first turns reach their own height of memory before anything is compared.
                    time.sleep(1)
                    quiet = time.perf_counter()
                    time.sleep(2)
                    before = server.resident()
                    with Wire(server.port) as wire:
                        began = time.perf_counter()
                        wire.call("BGREWRITEAOF")
                        most = before
                        while wire.info("aof_rewrite_in_progress") != "0" or wire.info("aof_rewrite_scheduled") != "0":
                            most = max(most, server.resident())
                            time.sleep(0.02)
                        ended = time.perf_counter()
                        # A fork's copies are the child's, and are counted by the server when it has ended.
                        copied = int(wire.info("aof_last_cow_size") or 0)
                finally:
                    over.set()
                    writer.join()
            tell(store, server, count, asking.of(quiet, began), asking.of(began, ended), (before, most + copied), ended - began)


def tell(store, server, count, quiet, during, memory, seconds):
    ratio, more = during[1] / quiet[1], (memory[1] / memory[0] - 1) * 100
    cells = [f"{quiet[1]:.2f} ms", f"{during[1]:.2f} ms", f"**{ratio:.2f}**", f"{during[0]:.2f} ms", f"{more:.1f} %", f"{seconds:.1f} s"]
    store.row("rewrite", [server.name, thousands(count)], cells, p999=round(ratio, 4), memory=round(more, 2))


def overwrite(server, count, size, over):
    """Steady writes over all keys, a part of what the server could do."""
    command = ["redis-benchmark", "-p", server.port, "-c", 4, "-n", 20_000, "-P", 4, "-r", count]
    words = ["SET", "key:__rand_int__", "y" * size]
    while not over.is_set():
        subprocess.run([*map(str, command), *words], capture_output=True, check=True)
