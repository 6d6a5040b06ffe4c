"""Many keys of every type in every encoding, and the comparison of two servers that hold them.

usage: keys.py commands FROM TO        writes the commands that make keys FROM..TO, for redis-cli --pipe
       keys.py same PORT PORT          compares key by key: value (DEBUG DIGEST-VALUE), deadline, encoding; then DEBUG DIGEST

A key follows from its number alone, so the same range gives the same data on every server. What a key holds is a little
random, how it is kept is not: the kinds below walk through strings that are integers, short or long, and through lists,
hashes, sets and sorted sets on both sides of the sizes from which they are kept otherwise.
"""

import random
import socket
import sys

DATABASES = (0, 3)
# Deadlines far enough away that nothing expires while a comparison runs.
DEADLINE_MS = 4_000_000_000_000
# Keys asked for at a time.
BATCH = 5000
# A value whose encoding changes at a size is made with one of these many elements: small ones are common, big ones rare.
SIZES = [1, 2, 3, 5, 8, 13, 21] * 20 + [60, 127, 128, 129] + [513, 1500]

# Sets of few members that are not all integers: Redis 7.0 has no listpack for them, which came with 7.2.
SAME_ENCODING = {frozenset((b"listpack", b"hashtable"))}


def text(chance, length):
    """Letters that compress a little, now and then any bytes."""
    if chance.random() < 0.1:
        return chance.randbytes(length)
    return bytes(chance.choices(b"abcdefgh    ", k=length))


def string(chance):
    kind = chance.randrange(8)
    if kind < 2:
        return str(chance.choice([chance.randrange(-100, 10_000), chance.randrange(-(2**63), 2**63)])).encode()
    if kind == 2:
        return repr(chance.uniform(-1e6, 1e6)).encode()
    if kind < 7:
        return text(chance, chance.choice([0, 1, 7, 20, 44, 45, 64, 200]))
    return text(chance, chance.choice([1000, 5000])) if chance.random() < 0.2 else b"ab" * chance.randrange(300)


def members(chance, count):
    """Different ones, the number of them in each so that none is twice; sometimes one that is too long to be compact."""
    long_one = chance.randrange(count) if chance.random() < 0.1 else -1
    for at in range(count):
        yield b"%d:%s" % (at, text(chance, 100 if at == long_one else chance.randrange(12)))


def score(chance):
    kinds = [chance.randrange(-1000, 1000), chance.uniform(-1, 1), chance.uniform(-1e18, 1e18), 2**53, "inf", "-inf", 0]
    return str(chance.choice(kinds)).encode()


def commands(number):
    """What makes key number so-and-so."""
    chance = random.Random(number)
    key = b"key:%d" % number if number % 7 else b"key \x00\xff:%d" % number
    count = chance.choice(SIZES)
    kind = chance.randrange(10)
    if kind < 4:
        yield b"SET", key, string(chance)
        if chance.random() < 0.05:
            # Long enough to be raw by its length: that a short one was changed in place is not kept in files.
            yield b"APPEND", key, b"more" * 12
    elif kind == 4:
        yield b"RPUSH", key, *(string(chance) for _ in range(count))
    elif kind == 5:
        yield b"HSET", key, *(word for name in members(chance, count) for word in (name, string(chance)))
    elif kind == 6:
        yield b"SADD", key, *members(chance, count)
    elif kind == 7:
        width = chance.choice([2**15, 2**31, 2**63]) - 1
        yield b"SADD", key, *(b"%d" % chance.randint(-width, width) for _ in range(count))
    else:
        yield b"ZADD", key, *(word for name in members(chance, count) for word in (score(chance), name))
    if chance.random() < 0.2:
        yield b"PEXPIREAT", key, b"%d" % (DEADLINE_MS + number)


def encode(words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def write_commands(first, end):
    out = sys.stdout.buffer
    share = (end - first) // len(DATABASES)
    for place, database in enumerate(DATABASES):
        out.write(encode((b"SELECT", b"%d" % database)))
        last = end if place + 1 == len(DATABASES) else first + share * (place + 1)
        for number in range(first + share * place, last):
            for words in commands(number):
                out.write(encode(words))


class Server:
    """As much of a client as is needed here: many requests at once, replies as they come."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 120)
        self.file = self.socket.makefile("rb", 1 << 20)

    def ask(self, *requests):
        self.socket.sendall(b"".join(map(encode, requests)))
        return [self.reply() for _ in requests]

    def reply(self):
        line = self.file.readline()[:-2]
        kind, rest = line[:1], line[1:]
        if kind == b"$":
            return self.file.read(int(rest) + 2)[:-2] if rest != b"-1" else None
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        return rest

    def keys(self):
        cursor = b"0"
        while True:
            cursor, keys = self.ask((b"SCAN", cursor, b"COUNT", b"%d" % BATCH))[0]
            yield from keys
            if cursor == b"0":
                return


def facts(server, keys):
    """Of each key: digest of its value, deadline and encoding."""
    found = []
    for at in range(0, len(keys), BATCH):
        part = keys[at : at + BATCH]
        digests = server.ask((b"DEBUG", b"DIGEST-VALUE", *part))[0]
        deadlines = server.ask(*((b"PEXPIRETIME", key) for key in part))
        encodings = server.ask(*((b"OBJECT", b"ENCODING", key) for key in part))
        found += zip(digests, deadlines, encodings)
    return found


def is_same(one, other):
    return one == other or (one[:2] == other[:2] and frozenset((one[2], other[2])) in SAME_ENCODING)


def same(one, other):
    one, other = Server(one), Server(other)
    wrong = total = with_deadline = 0
    kinds = {}
    for database in DATABASES:
        for server in (one, other):
            server.ask((b"SELECT", b"%d" % database))
        keys = sorted(one.keys())
        theirs = sorted(other.keys())
        if keys != theirs:
            print(f"database {database}: {len(keys)} and {len(theirs)} keys, {len(set(keys) ^ set(theirs))} only in one")
            wrong += 1
        for key, a, b in zip(keys, facts(one, keys), facts(other, keys)):
            total += 1
            with_deadline += a[1] != b"-1"
            kinds[a[2]] = kinds.get(a[2], 0) + 1
            if not is_same(a, b):
                wrong += 1
                if wrong <= 10:
                    print(f"{key}: {a} is not {b}")
    whole = [server.ask((b"DEBUG", b"DIGEST"))[0] for server in (one, other)]
    if whole[0] != whole[1]:
        print(f"DEBUG DIGEST: {whole[0]} is not {whole[1]}")
        wrong += 1
    kinds = ", ".join(f"{count} {kind.decode()}" for kind, count in sorted(kinds.items()))
    print(f"{total} keys ({kinds}), {with_deadline} with a deadline: {wrong} differences")
    return wrong == 0 and total > 0


if __name__ == "__main__":
    what, first, second = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if what == "commands":
        write_commands(first, second)
    else:
        sys.exit(not same(first, second))
