"""The goals that the figures are held against, and the few lines that the README shows."""

# Text, limit, "<=" or ">=", and the rows it is about: (table, key, number). The worst of them is shown.
TYPES = ("LPUSH", "RPOP", "LRANGE_100", "HSET", "SADD", "ZADD")


def strings(log, commands, pipelines, number):
    return [("strings", (log, command, p), number) for command in commands for p in pipelines]


BOTH = ("SET", "GET")
GOALS = [
    ("SET and GET, P=1: CPU", 0.90, "<=", strings("off", BOTH, (1,), "cpu")),
    ("SET and GET, P=1: requests/s", 1.0, ">=", strings("off", BOTH, (1,), "rps")),
    ("SET and GET, P=16, no log: CPU", 0.40, "<=", strings("off", BOTH, (16,), "cpu")),
    ("SET and GET, P=64, no log: CPU", 0.22, "<=", strings("off", BOTH, (64,), "cpu")),
    ("SET and GET, P=64, no log: requests/s", 4.0, ">=", strings("off", BOTH, (64,), "rps")),
    ("SET, P=16, `everysec`: CPU", 0.40, "<=", strings("everysec", ("SET",), (16,), "cpu")),
    ("SET, P=64, `everysec`: CPU", 0.22, "<=", strings("everysec", ("SET",), (64,), "cpu")),
    (
        "other commands, P=16: CPU",
        0.50,
        "<=",
        strings("off", ("INCR", "MSET"), (16,), "cpu") + [("types", (command, 16), "cpu") for command in TYPES],
    ),
    ("`always`, 50 clients: requests/s", 1.3, ">=", [("always", ("SET", 50), "rps")]),
    ("`always`, 500 clients: requests/s", 2.0, ">=", [("always", ("SET", 500), "rps")]),
    ("`always`, GET beside writers: requests/s", 5.0, ">=", [("always", ("GET, with 50 others that SET", 50), "rps")]),
    ("memory, values of 32 bytes", 0.55, "<=", [("memory", ("values of 32 bytes", "1 M"), "ratio")]),
    (
        "memory, half deleted and written anew",
        0.60,
        "<=",
        [("memory", ("values of 32 bytes, half deleted and others written", "1 M"), "ratio")],
    ),
    ("longest wait while keys are inserted, ms", 2.0, "<=", [("stalls", ("inserts", any), "longest")]),
    ("restart from the log: time", 1 / 3, "<=", [("restart", ("increments", any), "time")]),
    ("restart from a base: time", 1 / 3, "<=", [("restart", ("a base", any), "time")]),
    ("rewrite under load: p99.9 against quiet", 2.0, "<=", [("rewrite", ("Pinstripe", any), "p999")]),
    ("rewrite under load: memory on top, %", 10.0, "<=", [("rewrite", ("Pinstripe", any), "memory")]),
    ("two workers against one, P=16: CPU", 1.10, "<=", [("workers", (command, 2), "one") for command in BOTH]),
]


def find(store, table, key, number):
    """The figures that a goal names; a key's `any` stands for whatever size was measured."""
    for row in store.data["tables"].get(table, []):
        words = row["key"]
        if len(words) == len(key) and all(want is any or str(want) == word for want, word in zip(key, words)):
            if number in row["numbers"]:
                yield row["numbers"][number]


def table(store):
    lines = ["| work | goal | measured (the worst) | |", "|---|---|---|---|"]
    for text, limit, how, rows in GOALS:
        found = [list(find(store, *row)) for row in rows]
        values = [value for one in found for value in one]
        if not values:
            lines.append(f"| {text} | {how} {limit:.2f} | not measured | |")
            continue
        worst = max(values) if how == "<=" else min(values)
        reached = worst <= limit if how == "<=" else worst >= limit
        missing = "" if all(found) else ", not all measured"
        lines.append(f"| {text} | {how} {limit:.2f} | {worst:.2f}{missing} | {'reached' if reached else 'missed'} |")
    return lines


def summary(store):
    """At most five lines for the README, one for each section that was measured."""

    def pair(rows, form):
        values = [value for row in rows for value in find(store, *row)]
        if not values:
            return None
        low, high = form(min(values)), form(max(values))
        return low if low == high else f"{low} to {high}"

    def ratio(value):
        return f"{value:.2f}"

    lines = []
    depths = [(p, pair(strings("off", BOTH, (p,), "cpu"), ratio)) for p in (1, 16, 64)]
    depths = ", ".join(f"{value} at a depth of {p}" for p, value in depths if value)
    if depths:
        lines.append(f"CPU time of a SET or GET: {depths}")
    logged = pair(strings("everysec", ("SET",), (16, 64), "cpu"), ratio)
    waits = pair([("always", ("SET", clients), "rps") for clients in (50, 500)], lambda value: f"{value:.1f}")
    durable = [f"SET with `appendfsync everysec`, at a depth of 16 and 64: {logged} of the CPU time"] if logged else []
    durable += [f"with `always`: {waits} times the requests a second"] if waits else []
    if durable:
        lines.append("; ".join(durable))
    types = pair([("types", (command, 16), "cpu") for command in TYPES], ratio)
    if types:
        lines.append(f"CPU time of commands on lists, hashes, sets and sorted sets, at a depth of 16: {types}")
    memory = pair([("memory", ("values of 32 bytes", any), "ratio")], ratio)
    churned = pair([("memory", ("values of 32 bytes, half deleted and others written", any), "ratio")], ratio)
    if memory:
        lines.append(f"memory for keys of 16 and values of 32 bytes: {memory}" + (f"; after deleting half and writing others: {churned}" if churned else ""))
    log, base = (pair([("restart", (what, any), "time")], ratio) for what in ("increments", "a base"))
    if log and base:
        lines.append(f"time of a restart: {log} from the log, {base} from a base")
    commits = sorted({row["run"]["date"] for rows in store.data["tables"].values() for row in rows})
    head = f"Pinstripe's share of what redis-server needs in the same run ({store.run['machine'].split(',')[0]}, {commits[-1] if commits else ''}; less is better but where a rate is named):"
    return head + "\n\n" + "\n".join(f"- {line}" for line in lines)
