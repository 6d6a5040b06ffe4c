"""benches/results.svg: the ratios as bars, redis-server's share as the line at 1.

Drawn by hand, because a picture in a README may neither load fonts nor run scripts. The colours follow the reader's choice of
light or dark where the viewer tells it; on a card of its own, so that it can be read where it does not.
"""

from html import escape

from . import goals

GROUPS = [
    (
        "CPU an operation",
        [
            ("GET, one at a time", ("strings", ("off", "GET", 1), "cpu")),
            ("GET, 16 at a time", ("strings", ("off", "GET", 16), "cpu")),
            ("GET, 64 at a time", ("strings", ("off", "GET", 64), "cpu")),
            ("SET, one at a time", ("strings", ("off", "SET", 1), "cpu")),
            ("SET, 16 at a time", ("strings", ("off", "SET", 16), "cpu")),
            ("SET, 64 at a time", ("strings", ("off", "SET", 64), "cpu")),
            ("SET logged, 16 at a time", ("strings", ("everysec", "SET", 16), "cpu")),
            ("INCR, 16 at a time", ("strings", ("off", "INCR", 16), "cpu")),
            ("LPUSH, 16 at a time", ("types", ("LPUSH", 16), "cpu")),
            ("HSET, 16 at a time", ("types", ("HSET", 16), "cpu")),
            ("ZADD, 16 at a time", ("types", ("ZADD", 16), "cpu")),
        ],
    ),
    (
        "Memory",
        [
            ("values of 32 bytes", ("memory", ("values of 32 bytes", any), "ratio")),
            ("after rewriting half", ("memory", ("values of 32 bytes, half deleted and others written", any), "ratio")),
        ],
    ),
    (
        "Time to restart",
        [
            ("from the log", ("restart", ("increments", any), "time")),
            ("from a base", ("restart", ("a base", any), "time")),
        ],
    ),
]

WIDTH, LEFT, SCALE, ROW = 720, 216, 400, 22
# Bars end here; the figure beside them tells the rest.
MOST = 1.1

STYLE = """
  .card { fill: #ffffff; stroke: #d8dee4; }
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-size: 15px; font-weight: 600; }
  .group { font-weight: 600; }
  .small { font-size: 12px; fill: #59636e; }
  .track { fill: #eaeef2; }
  .bar { fill: #1a7f5a; }
  .bar.more { fill: #bc4c00; }
  .one { stroke: #59636e; stroke-dasharray: 3 3; }
  @media (prefers-color-scheme: dark) {
    .card { fill: #151b23; stroke: #3d444d; }
    text { fill: #f0f6fc; }
    .small { fill: #9198a1; }
    .track { fill: #262c36; }
    .bar { fill: #3fb98a; }
    .bar.more { fill: #f0883e; }
    .one { stroke: #9198a1; }
  }
"""


def draw(store):
    groups = []
    for title, rows in GROUPS:
        measured = [(label, next(goals.find(store, *row), None)) for label, row in rows]
        measured = [(label, value) for label, value in measured if value is not None]
        if measured:
            groups.append((title, measured))
    parts, y = [], 74
    for title, rows in groups:
        parts.append(f'<text class="group" x="20" y="{y + 4}">{escape(title)}</text>')
        y += ROW
        for label, value in rows:
            length = SCALE * min(value, MOST)
            more = " more" if value > 1 else ""
            parts.append(f'<text x="{LEFT - 10}" y="{y + 4}" text-anchor="end">{escape(label)}</text>')
            parts.append(f'<rect class="track" x="{LEFT}" y="{y - 7}" width="{SCALE}" height="14" rx="2"/>')
            parts.append(f'<rect class="bar{more}" x="{LEFT}" y="{y - 7}" width="{length:.0f}" height="14" rx="2"/>')
            parts.append(f'<text x="{LEFT + max(SCALE, length) + 10:.0f}" y="{y + 4}">{value:.2f}</text>')
            y += ROW
        y += 8
    line = LEFT + SCALE
    head = [
        f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{y - 1}" rx="6"/>',
        '<text class="title" x="20" y="28">Pinstripe beside redis-server</text>',
        '<text class="small" x="20" y="47">Its share of what redis-server needs for the same. Shorter is better.</text>',
        f'<text class="small" x="{line}" y="47" text-anchor="middle">redis-server = 1</text>',
    ]
    tail = [f'<line class="one" x1="{line}" x2="{line}" y1="54" y2="{y - 12}"/>']
    label = f'role="img" aria-label="bars: Pinstripe\'s share of what redis-server needs"'
    top = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" {label}>'
    return "\n".join([top, f"<style>{STYLE}</style>", *head, *parts, *tail, "</svg>"]) + "\n"
