"""Reads /-/metrics as Prometheus would: with the strict OpenMetrics parser of prometheus_client.

usage: metrics.py HTTP_PORT
"""

import sys
import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families

with urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/-/metrics", timeout=20) as answer:
    media, text = answer.headers["Content-Type"], answer.read().decode()
assert media.startswith("application/openmetrics-text"), media
families = {family.name: family for family in text_string_to_metric_families(text)}
samples = sum(len(family.samples) for family in families.values())
assert all(family.documentation for family in families.values()), "a metric without a description"
commands = {sample.labels["command"]: sample.value for sample in families["pinstripe_commands"].samples}
assert commands["set"] >= 1, commands
print(f"{len(families)} families, {samples} samples")
