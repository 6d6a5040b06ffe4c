"""The servers that are measured: how they are started, filled and looked into."""

import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LOGS = {
    "off": ["--appendonly", "no"],
    "everysec": ["--appendonly", "yes", "--appendfsync", "everysec"],
    "always": ["--appendonly", "yes", "--appendfsync", "always"],
}
OURS, THEIRS = "Pinstripe", "redis-server"


class Server:
    """A server process with a directory and a port of its own."""

    def __init__(self, name, binary, log="off", options=()):
        self.name, self.binary, self.log, self.options = name, binary, log, options
        self.home = tempfile.TemporaryDirectory(prefix="bench-")
        self.output = open(Path(self.home.name) / "output", "w+")
        self.start()

    def start(self):
        """Starts it on what its directory holds; the seconds until it served."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        # No rewrite in the midst of a round: it is another subject, and the two servers would not start theirs together.
        arguments = ["--port", self.port, "--dir", self.home.name, "--save", "", *LOGS[self.log]]
        arguments += ["--auto-aof-rewrite-percentage", 0, "--maxclients", 11000, *self.options]
        began = time.perf_counter()
        command = [self.binary, *map(str, arguments)]
        self.process = subprocess.Popen(command, stdout=self.output, stderr=subprocess.STDOUT, preexec_fn=many_files)
        while time.perf_counter() - began < 300:
            if self.process.poll() is not None:
                break
            try:
                with Wire(self.port) as wire:
                    if wire.call("PING") == "PONG":
                        return time.perf_counter() - began
            except OSError:
                pass
            time.sleep(0.002)
        self.output.seek(0)
        sys.exit(f"{self.name} did not start:\n{self.output.read()[-4000:]}")

    def threads(self):
        """Thread id -> nanoseconds on a CPU."""
        tasks = Path(f"/proc/{self.process.pid}/task")
        return {task.name: int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()}

    def resident(self):
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def settled(self):
        """Resident bytes once they have stopped to move: freed memory is given back a little later."""
        least, since = self.resident(), time.monotonic()
        while time.monotonic() - since < 1:
            time.sleep(0.1)
            now = self.resident()
            if abs(now - least) > least // 500:
                since = time.monotonic()
            least = now
        return least

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.kill()
        self.output.close()
        self.home.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def many_files():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Wire:
    """A connection, used plainly or with many commands on their way."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def line(self):
        while b"\r\n" not in self.rest:
            got = self.socket.recv(65536)
            if not got:
                raise ConnectionError("closed")
            self.rest += got
        line, self.rest = self.rest.split(b"\r\n", 1)
        return line

    def call(self, *words):
        """The reply to one command: a text, a number or None; an array's elements as a list."""
        self.socket.sendall(encode(words))
        return self.reply()

    def reply(self):
        line = self.line()
        kind, text = line[:1], line[1:].decode()
        if kind == b"$" and text != "-1":
            length = int(text) + 2
            while len(self.rest) < length:
                self.rest += self.socket.recv(1 << 20)
            body, self.rest = self.rest[: length - 2], self.rest[length:]
            return body.decode()
        if kind == b"*":
            return [self.reply() for _ in range(int(text))]
        if kind == b"-":
            raise ConnectionError(text)
        return int(text) if kind == b":" else None if text == "-1" else text

    def pour(self, lots):
        """Sends lots, pairs of bytes and the number of one-line replies to them; three at a time are on their way."""
        ahead = []
        for lot, replies in lots:
            self.socket.sendall(lot)
            ahead.append(replies)
            if len(ahead) == 3:
                self.take(ahead.pop(0))
        for replies in ahead:
            self.take(replies)

    def take(self, replies):
        """Reads so many one-line replies. A lot's replies may come together with the next one's."""
        while True:
            found = self.rest.count(b"\n")
            if found >= replies:
                break
            got = self.socket.recv(1 << 18)
            if not got:
                raise ConnectionError("closed")
            self.rest += got
        if self.rest[:1] == b"-":
            raise ConnectionError(self.rest.split(b"\r\n")[0].decode())
        if found == replies:
            self.rest = b""
        else:
            self.rest = self.rest.split(b"\n", replies)[replies]

    def info(self, field):
        text = self.call("INFO", "all")
        found = re.search(rf"^{field}:(.*?)\r?$", text, re.M)
        return found.group(1) if found else None


def encode(words):
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def template(*words):
    """A command as a pattern to fill numbers in: `%012d` in a word stands for twelve digits."""
    head = b"*%d\r\n" % len(words)
    body = b"".join(b"$%d\r\n%s\r\n" % (len(word.replace(b"%012d", b"0" * 12)), word) for word in words)
    return head + body


def lots_of(pattern, numbers, lot=400):
    """Lots for `pour`: the pattern once for each number."""
    for start in range(0, len(numbers), lot):
        part = numbers[start : start + lot]
        yield b"".join([pattern % number for number in part]), len(part)


def fill(server, keys, size, *more, first=0, step=1):
    """Every key once, so that GET finds what it asks for; twelve digits, as redis-benchmark writes them."""
    pattern = template(b"SET", b"key:%012d", b"x" * size, *more)
    with Wire(server.port) as wire:
        wire.pour(lots_of(pattern, range(first, first + keys * step, step)))


class Pair:
    """Pinstripe and redis-server, both up."""

    def __init__(self, a, log="off", options=()):
        self.servers = []
        try:
            self.servers.append(Server(OURS, a.binary, log, options))
            self.servers.append(Server(THEIRS, "redis-server", log))
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __iter__(self):
        return iter(self.servers)

    def __exit__(self, *_):
        for server in self.servers:
            server.stop()
