// Runs node-redis over the server, in both protocols: single commands, what is sent in one go, a transaction, WATCH, a
// sleeping pop, messages, SCAN as an iterator.
//
// usage: node node_redis.js PORT        (with redis in NODE_PATH)

const assert = require("node:assert");
const { createClient } = require("redis");

async function roundtrip(port, RESP) {
  const client = createClient({ socket: { port, reconnectStrategy: false }, RESP });
  client.on("error", (error) => console.log(error.message));
  await client.connect();
  await client.flushDb();

  assert.strictEqual(await client.set("k", "v", { expiration: { type: "EX", value: 100 } }), "OK");
  assert.strictEqual(await client.get("k"), "v");
  assert((await client.ttl("k")) > 90);
  assert.strictEqual(await client.get("missing"), null);
  assert.strictEqual(await client.hSet("h", { name: "Ann", age: "7" }), 2);
  assert.deepStrictEqual({ ...(await client.hGetAll("h")) }, { name: "Ann", age: "7" });
  assert.strictEqual(await client.rPush("l", ["a", "b", "c"]), 3);
  assert.deepStrictEqual(await client.lRange("l", 0, -1), ["a", "b", "c"]);
  assert.strictEqual(await client.sAdd("s", ["x", "y"]), 2);
  assert.deepStrictEqual([...(await client.sMembers("s"))].sort(), ["x", "y"]);
  assert.strictEqual(await client.zAdd("z", [{ score: 1, value: "one" }, { score: 2.5, value: "more" }]), 2);
  assert.deepStrictEqual(
    (await client.zRangeWithScores("z", 0, -1)).map(({ value, score }) => [value, score]),
    [["one", 1], ["more", 2.5]],
  );
  await assert.rejects(client.incr("l"), /WRONGTYPE/);

  const replies = await Promise.all(Array.from({ length: 2000 }, (_, n) => client.set(`many:${n}`, `${n}`)));
  assert(replies.every((reply) => reply === "OK"));
  const keys = new Set();
  for await (const page of client.scanIterator({ MATCH: "many:*", COUNT: 100 })) page.forEach((key) => keys.add(key));
  assert.strictEqual(keys.size, 2000);

  assert.deepStrictEqual(await client.multi().set("n", "1").incr("n").get("n").exec(), ["OK", 2, "2"]);
  const watcher = client.duplicate();
  await watcher.connect();
  await watcher.watch("n");
  await client.set("n", "9");
  await assert.rejects(watcher.multi().set("n", "10").exec(), /watch/i);
  assert.strictEqual(await client.get("n"), "9");

  const popped = watcher.blPop("queue", 10);
  await client.rPush("queue", "job");
  assert.deepStrictEqual({ ...(await popped) }, { key: "queue", element: "job" });

  const listener = client.duplicate();
  await listener.connect();
  const heard = new Promise((done) => listener.subscribe("news", (text, channel) => done([channel, text])));
  while ((await client.publish("news", "hello")) === 0) await new Promise((again) => setTimeout(again, 5));
  assert.deepStrictEqual(await heard, ["news", "hello"]);
  await listener.unsubscribe("news");

  await client.flushDb();
  for (const each of [listener, watcher, client]) each.destroy();
}

async function main(port) {
  for (const protocol of [2, 3]) await roundtrip(port, protocol);
  console.log("RESP2 and RESP3: commands, 2000 in one go, SCAN, a transaction, WATCH, a sleeping pop, messages");
}

// A connection that never answers must not keep the caller waiting.
setTimeout(() => { console.log("no end after 60 s"); process.exit(1); }, 60000).unref();
main(Number(process.argv[2])).catch((error) => { console.log(error); process.exit(1); });
