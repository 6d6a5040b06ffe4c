"""Runs Celery over the server as broker and as store of results: tasks go out and their results come back, one fails, one is
tried again, one waits for its time, one runs behind another, several run as a group.

usage: celery_roundtrip.py PORT
"""

import os
import subprocess
import sys

os.environ["PINSTRIPE_PORT"] = sys.argv[1]

import celery_tasks as tasks
from celery import group

PATIENCE = 60

worker = subprocess.Popen(
    [sys.executable, "-B", "-m", "celery", "-A", "celery_tasks", "worker", "--concurrency", "2", "--loglevel", "WARNING"],
    cwd=os.path.dirname(os.path.abspath(__file__)),
)
try:
    assert tasks.add.delay(20, 22).get(timeout=PATIENCE) == 42
    assert tasks.fail_twice.delay().get(timeout=PATIENCE) == 2
    failed = tasks.fail.delay()
    assert isinstance(failed.get(timeout=PATIENCE, propagate=False), ValueError) and failed.state == "FAILURE"
    assert tasks.add.apply_async((1, 1), countdown=1).get(timeout=PATIENCE) == 2
    assert (tasks.add.s(1, 2) | tasks.add.s(3)).delay().get(timeout=PATIENCE) == 6
    together = group(tasks.add.s(n, n) for n in range(100)).delay()
    assert together.get(timeout=PATIENCE) == [2 * n for n in range(100)]
    assert list(tasks.app.control.ping(timeout=2)), "the worker did not answer a broadcast"
    assert worker.poll() is None, "the worker ended"
finally:
    worker.terminate()
    worker.wait(timeout=PATIENCE)
print("tasks were done, failed, were tried again, waited, ran in a row and as a group")
