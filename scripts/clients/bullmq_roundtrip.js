// Runs BullMQ over the server: jobs are added and done, one fails and is tried again after a pause, one is put off, and
// QueueEvents hears of all of it.
//
// usage: node bullmq_roundtrip.js PORT        (with bullmq in NODE_PATH)

const assert = require("node:assert");
const { Queue, QueueEvents, Worker } = require("bullmq");

/** No job takes longer than this, in milliseconds. */
const PATIENCE_MS = 20_000;

async function main(port) {
  const connection = { host: "127.0.0.1", port, maxRetriesPerRequest: null };
  const queue = new Queue("letters", { connection });
  const events = new QueueEvents("letters", { connection });
  await events.waitUntilReady();
  // Each job that is waited for listens to both.
  for (const emitter of [queue, events]) emitter.setMaxListeners(0);
  const heard = { completed: new Set(), failed: new Set(), delayed: new Set() };
  for (const [name, ids] of Object.entries(heard)) events.on(name, ({ jobId }) => ids.add(jobId));

  const attempts = new Map();
  const worker = new Worker(
    "letters",
    async (job) => {
      attempts.set(job.id, (attempts.get(job.id) ?? 0) + 1);
      if (job.name === "stubborn" && attempts.get(job.id) < 3) throw new Error("not yet");
      if (job.name === "hopeless") throw new Error("never");
      return { twice: job.data.n * 2 };
    },
    { connection, concurrency: 5 },
  );
  worker.on("error", (error) => console.log(error.message));

  const jobs = await queue.addBulk(Array.from({ length: 100 }, (_, n) => ({ name: "plain", data: { n } })));
  const results = await Promise.all(jobs.map((job) => job.waitUntilFinished(events, PATIENCE_MS)));
  assert.deepStrictEqual(results, Array.from({ length: 100 }, (_, n) => ({ twice: n * 2 })));
  jobs.forEach((job) => assert(heard.completed.has(job.id), `completed ${job.id} was not heard`));

  const backoff = { type: "exponential", delay: 50 };
  const stubborn = await queue.add("stubborn", { n: 21 }, { attempts: 5, backoff });
  assert.deepStrictEqual(await stubborn.waitUntilFinished(events, PATIENCE_MS), { twice: 42 });
  assert.strictEqual(attempts.get(stubborn.id), 3);

  const hopeless = await queue.add("hopeless", { n: 0 }, { attempts: 2, backoff: { type: "fixed", delay: 10 } });
  await assert.rejects(hopeless.waitUntilFinished(events, PATIENCE_MS), /never/);
  assert(heard.failed.has(hopeless.id));
  assert.strictEqual(await hopeless.getState(), "failed");

  const began = Date.now();
  const late = await queue.add("late", { n: 4 }, { delay: 300 });
  assert.strictEqual(await late.getState(), "delayed");
  assert.deepStrictEqual(await late.waitUntilFinished(events, PATIENCE_MS), { twice: 8 });
  assert(Date.now() - began >= 290, "the delayed job came too early");
  assert(heard.delayed.has(late.id));

  const first = await queue.add("plain", { n: 1 }, { priority: 5 });
  await first.waitUntilFinished(events, PATIENCE_MS);
  assert.deepStrictEqual(await queue.getJobCounts("completed", "failed", "waiting", "active", "delayed"), {
    completed: 103,
    failed: 1,
    waiting: 0,
    active: 0,
    delayed: 0,
  });

  await worker.close();
  await events.close();
  await queue.obliterate({ force: true });
  await queue.close();
}

main(Number(process.argv[2])).then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
