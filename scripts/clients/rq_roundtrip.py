"""Runs RQ over the server: jobs are put into a queue, worked off, fail, are tried again and are given up.

usage: rq_roundtrip.py PORT

RQ up to 1.11 keeps results in the job's hash; later versions keep them in streams, which the server does not have yet.
Queue.empty is left out: it is a script.
"""

import sys

import jobs
import redis
from rq import Queue, Retry, SimpleWorker
from rq.job import Job

connection = redis.Redis(port=int(sys.argv[1]))
queue = Queue("roundtrip", connection=connection)
good = queue.enqueue(jobs.add, 20, 22, meta={"why": "to see it done"})
bad = queue.enqueue(jobs.fail, retry=Retry(max=2))
dependent = queue.enqueue(jobs.add, 1, 1, depends_on=good)
assert queue.count == 2 and dependent.get_status() == "deferred"
assert SimpleWorker([queue], connection=connection, name="worker").work(burst=True)

good, bad, dependent = (Job.fetch(job.id, connection=connection) for job in (good, bad, dependent))
assert (good.result, good.get_status(), good.meta) == (42, "finished", {"why": "to see it done"}), good.to_dict()
assert (dependent.result, dependent.get_status()) == (2, "finished"), dependent.to_dict()
assert (bad.get_status(), bad.retries_left) == ("failed", 0), bad.to_dict()
assert "ValueError: as it should" in bad.exc_info
assert good.id in queue.finished_job_registry and bad.id in queue.failed_job_registry
# What has failed is put back by hand, and taken out of the queue again.
bad.requeue()
assert queue.job_ids == [bad.id]
queue.remove(bad)
assert queue.is_empty()
print("jobs were done, failed and tried again")
