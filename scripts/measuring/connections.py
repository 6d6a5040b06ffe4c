"""Connections that only sit there: resident bytes of each, and what they add to the others' commands."""

import selectors
import socket

from .servers import Pair, Wire, encode, many_files


def run(a, store):
    many_files()
    count = 10_000
    idle(a, store, count, "connected, and nothing said", [])
    idle(a, store, count, "one PING answered", [["PING"]])
    idle(a, store, count, "one SET and one GET of 10 kB answered", [["SET", "key", "x" * 10_000], ["GET", "key"]])


def idle(a, store, count, what, commands):
    each = {}
    with Pair(a) as pair:
        for server in pair:
            # The first connections bring up what all share.
            first = [Wire(server.port) for _ in range(50)]
            for wire in first:
                for words in commands:
                    wire.call(*words)
            before = server.settled()
            sockets = open_all(server, count)
            for words in commands:
                ask_all(sockets, encode(words), b"\r\n" if words[0] != "GET" else b"x\r\n")
            with Wire(server.port) as wire:
                there = int(wire.info("connected_clients"))
            if there < count:
                raise SystemExit(f"{server.name} has only {there} of {count} connections")
            each[server.name] = max(0, server.settled() - before) / count
            for one in [*sockets, *(wire.socket for wire in first)]:
                one.close()
    ours, theirs = each.values()
    ratio = ours / theirs if theirs else float("nan")
    cells = [f"**{ratio:.2f}**", *(f"{value:,.0f} bytes each" for value in (ours, theirs))]
    store.row("idle", [what, count], cells, ratio=round(ratio, 4), ours=round(ours))


def open_all(server, count):
    sockets = []
    for _ in range(count):
        one = socket.socket()
        one.connect(("127.0.0.1", server.port))
        sockets.append(one)
    return sockets


def ask_all(sockets, question, end):
    """Asks on all, then reads all answers to their ends: some hundred at a time."""
    for start in range(0, len(sockets), 200):
        part = sockets[start : start + 200]
        with selectors.DefaultSelector() as ready:
            answers = dict.fromkeys(part, b"")
            for one in part:
                one.sendall(question)
                ready.register(one, selectors.EVENT_READ)
            while answers:
                for key, _ in ready.select(30):
                    one = key.fileobj
                    answers[one] += one.recv(65536)
                    if answers[one].endswith(end):
                        del answers[one]
                        ready.unregister(one)
