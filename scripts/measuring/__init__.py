"""The parts of `scripts/bench`.

servers      starts the two servers, talks to them, fills them
load         redis-benchmark, and the ratio of what it found on both
throughput   cost of an operation, requests a second, latency
memory       bytes a key and an element
restart      time until the data is served again
stalls       the longest wait of a client while something large happens
connections  what a connection costs that only sits there
workers      whether an operation costs the same on one worker and on eight
goals        what the figures are held against
results      benches/results.json, and what is drawn from it: RESULTS.md and the lines in the README
picture      benches/results.svg
"""
