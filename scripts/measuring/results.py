"""What was measured, kept in benches/results.json, and what is written from it.

Every row remembers the run that it came from, so that a part can be measured again without the rest, and nothing is shown
under a commit that it was not measured at. What is told besides (what a change brought, why a goal was missed) stands in
benches/NOTES.md and comes at the document's end.
"""

import datetime
import json
import os
import platform
import re
import subprocess
from pathlib import Path

from . import goals, picture

ROOT = Path(__file__).resolve().parent.parent.parent

LATENCY = "p50 / p99 / p99.9"
COMPARED = ["CPU", "requests/s", LATENCY, "Pinstripe", "redis-server"]
# Table -> section, title, columns of the key, columns of the figures.
TABLES = {
    "strings": ("throughput", "Strings, 50 connections", ["log", "command", "P"], COMPARED),
    "types": ("throughput", "Other types, one value for all 50 connections, no log", ["command", "P"], COMPARED),
    "keys": ("throughput", "More and fewer keys, no log", ["keys", "command", "P"], COMPARED),
    "connections": ("throughput", "More and fewer connections, no log", ["connections", "command", "P"], COMPARED),
    "always": ("throughput", "`appendfsync always`, P=1", ["command", "connections"], COMPARED),
    "memory": ("memory", "Resident memory", ["what", "number"], ["ratio", "Pinstripe", "redis-server"]),
    "restart": ("restart", "Restart", ["from", "keys"], ["time", "Pinstripe", "redis-server"]),
    "stalls": (
        "stalls",
        "The longest wait of a client that does GET",
        ["while", "keys"],
        ["ratio", "Pinstripe: longest, p99.9", "redis-server: longest, p99.9", "what happened took"],
    ),
    "rewrite": (
        "stalls",
        "A rewrite under load",
        ["server", "keys"],
        ["p99.9 quiet", "p99.9 meanwhile", "ratio", "longest wait", "memory on top", "it took"],
    ),
    "idle": ("connections", "Idle connections", ["what", "connections"], ["ratio", "Pinstripe", "redis-server"]),
    "workers": (
        "workers",
        "Workers: CPU an operation, P=16, 50 connections, no log",
        ["command", "workers"],
        ["against one worker", "against redis-server", "CPU", "requests/s against one worker"],
    ),
}
SECTIONS = list(dict.fromkeys(section for section, *_ in TABLES.values()))


def first_line(*command):
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    return (done.stdout or done.stderr).strip().split("\n")[0]


def machine():
    model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text()).group(1)) >> 20
    name = model.group(1) if model else platform.machine()
    return f"{os.cpu_count()} cores of {name}, {memory} GB, Linux {platform.release()}"


class Store:
    """The figures of this run and of earlier ones."""

    def __init__(self, a):
        self.path = a.out
        self.data = json.loads(self.path.read_text()) if self.path.exists() else {"runs": [], "tables": {}}
        # The last commit that changed the program: those after it changed only what stands around it.
        sources = ("--", "src", "Cargo.lock")
        changed = " with changes" if first_line("git", "status", "--porcelain", "--untracked-files=no", *sources) else ""
        # A program that is older than the source is not this commit's.
        newest = max(path.stat().st_mtime for path in (ROOT / "src").rglob("*.rs"))
        if Path(a.binary).stat().st_mtime < newest:
            changed = " or before"
        redis = re.search(r"v=(\S+)", first_line("redis-server", "--version"))
        self.run = {
            "commit": a.commit or first_line("git", "log", "-1", "--abbrev=9", "--format=%h", *sources) + changed,
            "date": str(datetime.date.today()),
            "machine": machine(),
            "pinstripe": first_line(a.binary, "--version"),
            "redis": redis.group(1) if redis else "?",
            "rounds": a.rounds,
        }
        if self.run not in self.data["runs"]:
            self.data["runs"].append(self.run)

    def row(self, table, key, cells, **numbers):
        """Puts a row in its place, and tells of it."""
        words = [str(word) for word in key]
        row = {"key": words, "cells": cells, "numbers": numbers, "run": self.run}
        rows = self.data["tables"].setdefault(table, [])
        place = next((at for at, other in enumerate(rows) if other["key"] == words), None)
        if place is None:
            rows.append(row)
        else:
            rows[place] = row
        print(table, *words, "|", *cells, flush=True)
        # At once: a run that is broken off has measured something, too.
        self.write()

    def numbers(self, table, *key):
        """The figures of one row, None if it was never measured."""
        words = [str(word) for word in key]
        return next((row["numbers"] for row in self.data["tables"].get(table, []) if row["key"] == words), None)

    def write(self):
        used = [row["run"] for rows in self.data["tables"].values() for row in rows]
        runs = self.data["runs"]
        self.data["runs"] = [run for at, run in enumerate(runs) if run in used and run not in runs[:at]]
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_text(json.dumps(self.data, indent=1, ensure_ascii=False) + "\n")

    def publish(self):
        """Writes what people read: RESULTS.md and the picture beside the figures, and the README's lines."""
        self.write()
        folder = self.path.parent
        (folder / "RESULTS.md").write_text(self.document())
        (folder / "results.svg").write_text(picture.draw(self))
        if folder == ROOT / "benches":
            refresh_readme(goals.summary(self))

    def document(self):
        lines = [
            "# Pinstripe beside redis-server",
            "",
            "Written by `scripts/bench` from `results.json`. Both servers of a cell are up in the same run and their rounds",
            "take turns. A ratio is Pinstripe's figure divided by redis-server's: the median over the rounds, with the",
            "smallest and the largest in brackets. CPU is the server's own time for an operation, less is better; the load",
            "generator shares the machine, so requests a second and latency tell of it as well, and of the depth (P).",
            "Latency is in milliseconds, for a client that has P requests under way. Keys have 16 bytes; values 32 where",
            "nothing else is said.",
            "",
            "## Goals",
            "",
            *goals.table(self),
            "",
            "![the ratios as bars](results.svg)",
        ]
        for section in SECTIONS:
            tables = [name for name, (of, *_) in TABLES.items() if of == section and self.data["tables"].get(name)]
            if tables:
                lines += ["", f"## {section.capitalize()}"]
            for name in tables:
                lines += ["", *self.table(name)]
        lines += ["", "## Runs", "", "| commit | date | Pinstripe | redis-server | rounds | machine |", "|---|---|---|---|---|---|"]
        for run in self.data["runs"]:
            lines.append("| " + " | ".join(str(run[k]) for k in ("commit", "date", "pinstripe", "redis", "rounds", "machine")) + " |")
        notes = self.path.parent / "NOTES.md"
        if notes.exists():
            lines += ["", notes.read_text().rstrip()]
        return "\n".join(lines) + "\n"

    def table(self, name):
        _, title, key, columns = TABLES[name]
        rows = self.data["tables"][name]
        runs = {(row["run"]["commit"], row["run"]["date"]) for row in rows}
        each = len(runs) > 1
        lines = [f"### {title}", ""]
        if not each:
            commit, date = runs.pop()
            lines += [f"Measured at {commit} on {date}.", ""]
        head = key + columns + (["measured at"] if each else [])
        lines += ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        for row in rows:
            last = [f"{row['run']['commit']}, {row['run']['date']}"] if each else []
            lines.append("| " + " | ".join(row["key"] + row["cells"] + last) + " |")
        return lines


def refresh_readme(summary):
    path = ROOT / "README.md"
    text = path.read_text()
    begin, end = "<!-- figures:begin -->", "<!-- figures:end -->"
    middle = f"{begin}\n![Pinstripe beside redis-server](benches/results.svg)\n\n{summary}\n{end}"
    changed = re.sub(f"{begin}.*?{end}", lambda _: middle, text, flags=re.S)
    if changed != text:
        path.write_text(changed)
