"""The tasks of celery_roundtrip.py: its worker, a process of its own, imports this by name.

The server's port is in the environment, as PINSTRIPE_PORT.
"""

import os

from celery import Celery

server = f"redis://127.0.0.1:{os.environ['PINSTRIPE_PORT']}/0"
app = Celery("celery_tasks", broker=server, backend=server)
app.conf.update(broker_connection_retry_on_startup=True, task_acks_late=True, result_expires=60)


@app.task
def add(one, other):
    return one + other


@app.task(bind=True, max_retries=2)
def fail_twice(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return self.request.retries


@app.task
def fail():
    raise ValueError("as it should")
