// Runs the @upstash/redis client against the gateway: round trips of text, JSON and bytes' worth of characters, a pipeline, a
// transaction, errors, and its automatic pipelining. The client asks for base64, so that is what is tested here.
//
// usage: node upstash.js HTTP_PORT [TOKEN]        (with @upstash/redis in NODE_PATH)

const assert = require("node:assert");
const { Redis } = require("@upstash/redis");

async function main(port, token) {
  const url = `http://127.0.0.1:${port}/-/redis`;
  const redis = new Redis({ url, token, retry: { retries: 0 } });
  await redis.flushall();
  assert.strictEqual(await redis.set("k", "Grüße"), "OK");
  assert.strictEqual(await redis.get("k"), "Grüße");
  assert.strictEqual(await redis.get("none"), null);
  const object = { text: "ä\"\n", list: [1, true, null], nested: {} };
  assert.strictEqual(await redis.set("o", object), "OK");
  assert.deepStrictEqual(await redis.get("o"), object);
  assert.deepStrictEqual(await redis.mget("k", "none"), ["Grüße", null]);
  // A value that looks like a status.
  assert.strictEqual(await redis.setex("ok", 100, "OK"), "OK");
  assert.strictEqual(await redis.get("ok"), "OK");
  assert.ok((await redis.ttl("ok")) > 90);
  assert.strictEqual(await redis.ping(), "PONG");
  assert.strictEqual(await redis.type("k"), "string");
  assert.strictEqual(await redis.incrby("n", 5), 5);
  assert.strictEqual(await redis.incrbyfloat("n", 0.5), 5.5);
  assert.strictEqual(await redis.exists("k", "none"), 1);
  const [cursor, keys] = await redis.scan(0, { count: 1000 });
  assert.strictEqual(cursor, "0");
  assert.deepStrictEqual(keys.sort(), ["k", "n", "o", "ok"]);
  await assert.rejects(redis.incr("k"), /ERR value is not an integer or out of range/);

  const pipeline = redis.pipeline().set("p", 1).incr("p").get("p");
  assert.deepStrictEqual(await pipeline.exec(), ["OK", 2, 2]);
  const kept = await redis.pipeline().set("p", "x").incr("p").get("p").exec({ keepErrors: true });
  assert.deepStrictEqual(kept.map((one) => one.result), ["OK", undefined, "x"]);
  assert.match(kept[1].error, /^ERR value is not an integer/);
  const together = redis.multi().set("p", 10).incr("p").get("k");
  assert.deepStrictEqual(await together.exec(), ["OK", 11, "Grüße"]);
  const automatic = new Redis({ url, token, enableAutoPipelining: true });
  const many = await Promise.all(Array.from({ length: 500 }, (_, n) => automatic.set(`many:${n}`, n)));
  assert.ok(many.every((reply) => reply === "OK"));
  assert.strictEqual(await redis.get("many:499"), 499);

  if (token) {
    const stranger = new Redis({ url, token: `${token}x`, retry: { retries: 0 } });
    await assert.rejects(stranger.get("k"), /Unauthorized/);
  }
  await redis.flushall();
  console.log("text, JSON, a pipeline, a transaction, errors and automatic pipelining");
}

// A connection that never answers must not keep the caller waiting.
setTimeout(() => { console.log("no end after 60 s"); process.exit(1); }, 60000).unref();
main(process.argv[2], process.argv[3]).catch((error) => { console.log(error); process.exit(1); });
