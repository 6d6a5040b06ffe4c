// Runs ioredis over the commands that the server has, one by one, pipelined and in a transaction.
//
// usage: node roundtrip.js PORT        (with ioredis in NODE_PATH)

const assert = require("node:assert");
const Redis = require("ioredis");

const rows = [
  [["ping"], "PONG"],
  [["set", "k", "v"], "OK"],
  [["get", "k"], "v"],
  [["set", "k", "w", "NX"], null],
  [["set", "e", "1", "EX", "100"], "OK"],
  [["ttl", "e"], (n) => n >= 98 && n <= 100],
  [["persist", "e"], 1],
  [["append", "k", "xyz"], 4],
  [["getrange", "k", "1", "2"], "xy"],
  [["incr", "n"], 1],
  [["incrbyfloat", "f", "1.5"], "1.5"],
  [["mset", "a", "1", "b", "2"], "OK"],
  [["mget", "a", "b", "missing"], ["1", "2", null]],
  [["getdel", "b"], "2"],
  [["exists", "a", "b"], 1],
  [["type", "a"], "string"],
  [["rename", "a", "a2"], "OK"],
  [["del", "a2"], 1],
  [["rpush", "l", "a", "b"], 2],
  [["lrange", "l", "0", "-1"], ["a", "b"]],
  [["hset", "h", "f", "v"], 1],
  [["hgetall", "h"], { f: "v" }],
  [["sadd", "s", "x"], 1],
  [["smembers", "s"], ["x"]],
  [["zadd", "z", "2.5", "a"], 1],
  [["zscore", "z", "a"], "2.5"],
  [["xadd", "x", "1-1", "f", "v"], "1-1"],
  [["scan", "0", "COUNT", "1000"], (page) => page[0] === "0" && page[1].includes("k")],
  [["dbsize"], (n) => n >= 4],
  [["info"], (text) => text.includes("redis_version:7.")],
];

async function main(port) {
  const redis = new Redis({ port, maxRetriesPerRequest: 1 });
  redis.on("error", (error) => console.log(error.message));
  const known = new Set((await redis.call("COMMAND", "LIST")).map((name) => name.toLowerCase()));
  const missing = new Set();
  let ran = 0;
  await redis.flushall();
  for (const [[name, ...args], expected] of rows) {
    if (!known.has(name)) {
      missing.add(name);
      continue;
    }
    ran += 1;
    const got = await redis[name](...args);
    if (typeof expected === "function") assert(expected(got), `${name} ${args} gave ${JSON.stringify(got)}`);
    else assert.deepStrictEqual(got, expected, `${name} ${args} gave ${JSON.stringify(got)}`);
  }
  await assert.rejects(redis.incr("k"), /ERR value is not an integer or out of range/);
  assert.deepStrictEqual(Buffer.from([0, 255]), (await redis.set("bin", Buffer.from([0, 255])), await redis.getBuffer("bin")));
  const piped = await redis.pipeline().set("p", 1).incr("p").get("p").exec();
  assert.deepStrictEqual(piped, [[null, "OK"], [null, 2], [null, "2"]]);
  const together = await redis.multi().set("p", 1).incr("p").get("p").exec();
  assert.deepStrictEqual(together, [[null, "OK"], [null, 2], [null, "2"]]);
  const many = await Promise.all(Array.from({ length: 5000 }, (_, n) => redis.set(`many:${n}`, n)));
  assert(many.every((reply) => reply === "OK"));
  assert.strictEqual(await redis.get("many:4999"), "4999");
  if (known.has("subscribe")) {
    const listener = redis.duplicate();
    await listener.subscribe("news");
    const message = new Promise((done) => listener.once("message", (channel, text) => done([channel, text])));
    await redis.publish("news", "hello");
    assert.deepStrictEqual(await message, ["news", "hello"]);
    await listener.quit();
  } else {
    missing.add("subscribe");
  }
  await redis.flushall();
  await redis.quit();
  console.log(`${ran} commands, a pipeline, a transaction; not there: ${[...missing].join(" ") || "none"}`);
}

// A connection that never answers must not keep the caller waiting.
setTimeout(() => { console.log("no end after 60 s"); process.exit(1); }, 60000).unref();
main(Number(process.argv[2])).catch((error) => { console.log(error); process.exit(1); });
