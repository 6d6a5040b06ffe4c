// Opens the console in Chromium and looks at everything that it shows. Called by scripts/browser.
//
// usage: console.js REDIS_PORT HTTP_PORT LOCKED_HTTP_PORT FILE.png [SCREENSHOT.png]
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const net = require("node:net");
const path = require("node:path");
const { chromium } = require("playwright-core");

const [redisPort, httpPort, lockedPort, picture, screenshot] = process.argv.slice(2);
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];
const EVIL = `<img src=x onerror="window.hacked=1">`;
const CONTRAST_MIN = 4.5;

// A connection that sends commands and waits for as many replies. Replies are only counted: what they say is read by the page.
class Redis {
  static async connect(name) {
    const redis = new Redis();
    redis.socket = net.connect(Number(redisPort), "127.0.0.1");
    redis.socket.setNoDelay(true);
    redis.socket.on("data", (data) => redis.read(data));
    redis.waiting = [];
    redis.bytes = Buffer.alloc(0);
    if (name) await redis.call(["CLIENT", "SETNAME", name]);
    return redis;
  }
  send(commands) {
    const parts = [];
    for (const words of commands) {
      parts.push(Buffer.from(`*${words.length}\r\n`));
      for (const word of words) {
        const raw = Buffer.isBuffer(word) ? word : Buffer.from(String(word));
        parts.push(Buffer.from(`$${raw.length}\r\n`), raw, Buffer.from("\r\n"));
      }
    }
    this.socket.write(Buffer.concat(parts));
  }
  all(commands) {
    this.send(commands);
    return Promise.all(commands.map(() => new Promise((resolve) => this.waiting.push(resolve))));
  }
  async call(words) {
    return (await this.all([words]))[0];
  }
  read(data) {
    this.bytes = Buffer.concat([this.bytes, data]);
    let at = 0;
    for (;;) {
      const end = this.end(at);
      if (end < 0) break;
      this.waiting.shift()?.(this.bytes.subarray(at, end).toString());
      at = end;
    }
    this.bytes = this.bytes.subarray(at);
  }
  // Where the reply that begins at `at` ends; -1 if it is not whole.
  end(at) {
    const line = this.bytes.indexOf("\r\n", at);
    if (line < 0) return -1;
    const length = Number(this.bytes.toString("latin1", at + 1, line));
    let end = line + 2;
    switch (String.fromCharCode(this.bytes[at])) {
      case "$":
        end += length < 0 ? 0 : length + 2;
        return end <= this.bytes.length ? end : -1;
      case "*":
        for (let left = length; left > 0 && end >= 0; left--) end = this.end(end);
        return end;
      default:
        return end;
    }
  }
}

// Data of all types, in two databases, with what a page could stumble over.
async function fill(redis) {
  const commands = [];
  const cities = ["Oslo", "Lisbon", "Kyoto", "Quito", "Tartu", "Galway"];
  for (let n = 0; n < 1200; n++) {
    commands.push(["HSET", `user:${n}`, "name", `Ada ${n}`, "city", cities[n % 6], "visits", n * 7 % 311, "mail", `ada${n}@mail.example`]);
    commands.push(["SET", `session:${n.toString(16).padStart(6, "0")}`, `{"user":${n},"seen":${1700000000 + n}}`, "EX", 1800 + (n * 37) % 5400]);
    commands.push(["SET", `page:/articles/${n}`, "x".repeat(200 + (n * 53) % 900)]);
  }
  for (let n = 0; n < 400; n++) commands.push(["ZADD", "scores:2026", (n * 7919) % 10007 / 10, `player:${n}`]);
  for (let n = 0; n < 350; n++) commands.push(["RPUSH", "queue:mail", JSON.stringify({ to: `ada${n}@mail.example`, template: "welcome", attempt: n % 3 })]);
  for (let n = 0; n < 250; n++) commands.push(["SADD", "tags:articles", `tag-${n}`, `région-${n}`]);
  commands.push(["HSET", "config:flags", "beta", "on", "theme", "plain", "ratio", "0.25"], ["HPEXPIRE", "config:flags", "3600000", "FIELDS", "1", "beta"]);
  commands.push(["SET", "text:long", "A line of text that goes on.\n".repeat(400)]);
  commands.push(["SET", "text:grüße", "Grüße aus Łódź — 今日は"]);
  commands.push(["SET", Buffer.from([0x62, 0x69, 0x6e, 0x3a, 0xff, 0x00, 0xfe]), Buffer.from([0, 1, 2, 0xff, 0x41])]);
  commands.push(["SET", EVIL, EVIL], ["HSET", "evil:hash", EVIL, EVIL]);
  commands.push(["SETRANGE", "blob:backup", 400000, "x"]);
  commands.push(["SELECT", 3]);
  for (let n = 0; n < 90; n++) commands.push(["SET", `job:${n}`, "done", "PX", 900000 + n]);
  commands.push(["SELECT", 0]);
  for (let at = 0; at < commands.length; at += 500) await redis.all(commands.slice(at, at + 500));
  // The slow log and the count of errors must have something to tell.
  await redis.all([["SORT", "queue:mail", "ALPHA", "LIMIT", "0", "1"], ["KEYS", "*"], ["INCR", "text:long"], ["BGREWRITEAOF"]]);
  await redis.call(["CONFIG", "SET", "slowlog-log-slower-than", "0"]);
  await redis.call(["KEYS", "user:99*"]);
  await redis.call(["CONFIG", "SET", "slowlog-log-slower-than", "20000"]);
}

// Keeps the server busy as clients do, more at some times than at others, until it is told to stop.
function load(connections) {
  let stopped = false;
  const pick = (most) => Math.floor(most * Math.random() ** 3);
  const run = async (redis, index) => {
    for (let round = 0; !stopped; round++) {
      const commands = [];
      const wave = 1 + 0.5 * Math.sin(Date.now() / 7000) + 0.3 * Math.sin(Date.now() / 1900 + index);
      for (let n = 0; n < Math.round(14 * wave); n++) {
        commands.push(["HGETALL", `user:${pick(400)}`], ["GET", `page:/articles/${pick(1400)}`]);
        if (n % 3 === 0) commands.push(["HINCRBY", `user:${pick(400)}`, "visits", 1], ["INCR", "counter:hits"]);
        if (n % 5 === 0) commands.push(["ZINCRBY", "scores:2026", 1, `player:${pick(400)}`], ["SET", `session:${pick(4000).toString(16).padStart(6, "0")}`, "{}", "EX", 900]);
      }
      await redis.all(commands);
      await new Promise((resolve) => setTimeout(resolve, 12));
    }
  };
  connections.forEach(run);
  return () => (stopped = true);
}

let failed = 0;
async function check(name, body) {
  try {
    await body();
    console.log(`PASS  ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name}: ${error.stack.split("\n").slice(0, 6).join(" | ")}`);
  }
}

// Text whose contrast with what lies behind it is too small.
const poorContrast = (min) => {
  const parse = (color) => {
    const found = color.match(/[\d.]+/g).map(Number);
    const scale = color.startsWith("color(") ? 255 : 1;
    return [found[0] * scale, found[1] * scale, found[2] * scale, found[3] ?? 1];
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((value, index) => value * a + under[index] * (1 - a));
  const behind = (node) => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((ground, layer) => over(layer, ground), [255, 255, 255]);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((value) => ((value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const poor = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.checkVisibility() || node.closest("noscript,option,:disabled")) continue;
    const ground = behind(node);
    const [high, low] = [light(over(parse(getComputedStyle(node).color), ground)), light(ground)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < min) poor.add(`${node.tagName}.${node.className} "${walker.currentNode.data.trim().slice(0, 30)}" ${ratio.toFixed(2)}`);
  }
  return [...poor];
};

// Everything that goes wrong on a page, and everything that it asks of others.
function watch(page, origin, expected = []) {
  const wrong = [];
  page.on("console", (message) => {
    const text = message.text();
    if (["error", "warning"].includes(message.type()) && !expected.some((part) => text.includes(part))) wrong.push(text);
  });
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== origin) wrong.push(`it asks ${request.url()}`);
  });
  page.on("dialog", (dialog) => wrong.push(`a dialog: ${dialog.message()}`));
  return wrong;
}

async function main() {
  const redis = await Redis.connect();
  await fill(redis);
  const api = await Promise.all(["api-1", "api-2", "api-3"].map((name) => Redis.connect(name)));
  const sleeper = await Redis.connect("mailer");
  sleeper.send([["BLPOP", "queue:retry", "0"]]);
  const stop = load(api);

  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS });
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: "light", reducedMotion: "reduce" });
  const page = await context.newPage();
  page.setDefaultTimeout(20000);
  const origin = `http://127.0.0.1:${httpPort}`;
  const wrong = watch(page, origin, ["status of 403", "requires 'TrustedHTML'"]);
  let began;
  await page.goto(`${origin}/-/`);
  const texts = (selector) => page.locator(selector).allInnerTexts();
  const settled = (selector, pattern) =>
    page.waitForFunction(([selector, source]) => new RegExp(source, "s").test(document.querySelector(selector)?.innerText ?? ""), [selector, pattern.source]);
  const openKey = async (pattern, type) => {
    await page.selectOption("#search select[name=type]", type);
    await page.fill("#search input[name=match]", pattern);
    await page.press("#search input[name=match]", "Enter");
    await settled("#found-note", /that is all|so far/);
    const first = page.locator("#found button").first();
    const name = await first.locator(".name").innerText();
    await first.click();
    // The value before stays until the new one is there.
    await page.waitForFunction((name) => document.querySelector("#value h3")?.innerText === name && document.querySelector("#value .body"), name);
  };

  await check("it says that the server is ready, and which", async () => {
    await settled("#status", /^ready$/);
    await settled("#facts", /\d+\.\d+\.\d+ · port \d+ · \d+ worker/);
  });
  await check("the charts show operations, latency, memory and network", async () => {
    await page.waitForFunction(() => document.querySelector("#chart-ops path.one").getAttribute("d")?.split("L").length > 4);
    for (const [chart, pattern] of [["ops", /^[\d.\s]+k?$/], ["latency", /^[\d.]+ (ns|µs|ms)$/], ["memory", /^[\d.]+ MB$/], ["network", /^[\d.]+ [kM]B$/]]) {
      for (const figure of await texts(`#chart-${chart} .figure b`)) assert.match(figure, pattern, chart);
      assert.match(await page.getAttribute(`#chart-${chart} svg`, "aria-label"), /highest in two minutes/);
    }
    assert.ok(parseFloat((await texts("#chart-ops b"))[0].replace(/\s/g, "")) > 0);
  });
  await check("the panels show commands, log, databases, workers, slow log and clients", async () => {
    const commands = (await texts("#commands tbody tr")).join("\n");
    assert.match(commands, /hgetall\s+[\d\s]+\s+[\d.\s]+k?\s+[\d.]+ (ns|µs)/);
    assert.match(commands, /incr\b/);
    await settled("#log", /last sync\s+\d.* ago/);
    const log = await page.innerText("#log");
    for (const pattern of [/Log\s+on/, /appendfsync\s+everysec/, /size\s+[\d.]+ (kB|MB)/, /records in a group\s+[\d.]/, /rewrites\s+1, the last took/]) assert.match(log, pattern);
    const databases = (await texts("#databases tbody tr")).join("\n");
    assert.match(databases, /db0\s+[3-9].\d{3}\s+[1-9]/);
    assert.match(databases, /db3\s+90\s+90\s+14 min/);
    assert.match(await page.innerText("#hit-rate"), /\d % of reads/);
    assert.match((await texts("#workers tbody tr")).join("\n"), /worker-0\s+\d.*%\s*(\n.*)*http/);
    assert.match((await texts("#slowlog tbody tr")).join("\n"), /ago\s+[\d.]+ (µs|ms)\s+KEYS (user:99)?\*\s+127\.0\.0\.1:\d+/);
    const clients = (await texts("#clients tbody tr")).join("\n");
    assert.match(clients, /api-1\s+\w+/);
    assert.match(clients, /mailer\s+blpop \(waits\)/);
  });
  await check("keys are found by pattern and type, a page at a time", async () => {
    await page.fill("#search input[name=match]", "user:*");
    await page.press("#search input[name=match]", "Enter");
    await settled("#found-note", /so far/);
    const first = await page.locator("#found li").count();
    assert.ok(first >= 100 && first < 1200, `${first}`);
    await page.click("#more");
    await page.waitForFunction((first) => document.querySelectorAll("#found li").length > first, first);
    assert.ok((await texts("#found .name")).every((name) => name.startsWith("user:")));
    await page.selectOption("#search select[name=type]", "list");
    await settled("#found-note", /^0 keys, that is all/);
    await page.selectOption("#search select[name=db]", "3");
    await page.selectOption("#search select[name=type]", "");
    await page.fill("#search input[name=match]", "job:1?");
    await page.press("#search input[name=match]", "Enter");
    await settled("#found-note", /^10 keys, that is all/);
    assert.match((await texts("#found .ttl"))[0], /min/);
    await page.selectOption("#search select[name=db]", "0");
  });
  await check("a value of each type is shown, in pages", async () => {
    await openKey("text:long", "string");
    assert.match(await page.innerText("#value .body"), /A line of text that goes on\.\nA line/);
    assert.match(await page.innerText("#value .foot"), /bytes 1 to 4.096 of 11.600/);
    await page.click("#value >> text=Next");
    await settled("#value .foot", /bytes 4.097 to/);
    await openKey("queue:mail", "list");
    assert.match(await page.innerText("#value tbody tr:first-child"), /0\s+\{"to":"ada0@mail.example"/);
    await page.click("#value >> text=Next");
    await settled("#value .foot", /101 to 200 of 350/);
    await page.click("#value >> text=Back");
    await settled("#value .foot", /1 to 100 of 350/);
    await openKey("config:flags", "hash");
    assert.match(await page.innerText("#value .body"), /beta\s+on\s+in \d+ min/);
    assert.match(await page.innerText("#value .body"), /theme\s+plain\s+–/);
    await openKey("tags:*", "set");
    assert.match(await page.innerText("#value .body"), /région-\d/);
    await page.click("#value >> text=Next");
    await settled("#value .foot", /of 500/);
    await openKey("scores:*", "zset");
    assert.match(await page.innerText("#value tbody tr:first-child"), /0\s+[\d.]+\s+player:\d+/);
    assert.match(await page.innerText("#value .facts"), /type zset\s+elements 400\s+encoding skiplist\s+memory [\d.]+ kB\s+expires never/);
    await openKey("session:000001", "string");
    assert.match(await page.innerText("#value .facts"), /expires in \d+/);
  });
  await check("bytes are escaped, other scripts are not", async () => {
    await openKey("bin:*", "string");
    assert.equal(await page.innerText("#value h3"), "bin:\\xff\\x00\\xfe");
    assert.equal((await page.innerText("#value pre")).trim(), "\\x00\\x01\\x02\\xffA");
    await openKey("text:gr*", "string");
    assert.equal((await page.innerText("#value pre")).trim(), "Grüße aus Łódź — 今日は");
  });
  await check("what clients store is text, never HTML", async () => {
    await openKey("<img*", "string");
    assert.equal(await page.innerText("#value h3"), EVIL);
    assert.equal(await page.innerText("#found .name"), EVIL);
    await openKey("evil:hash", "hash");
    assert.ok((await page.innerText("#value .body")).includes(EVIL));
    await page.fill("#prompt input", "HGETALL evil:hash");
    await page.press("#prompt input", "Enter");
    await settled("#replies", /onerror.*ms/);
    assert.equal(await page.evaluate(() => window.hacked), undefined);
    assert.equal(await page.locator("main img").count(), 0);
    await assert.rejects(page.evaluate(() => (document.body.innerHTML = "<b>x</b>")), /TrustedHTML/);
  });
  await check("the biggest keys are weighed", async () => {
    await page.click("#biggest button[type=submit]");
    await settled("#biggest .note", /Of [\d\s]+ keys looked at; db0 has/);
    assert.match((await texts("#biggest tbody tr"))[0], /blob:backup\s+string\s+\d+ kB/);
    await page.click("#biggest tbody tr:nth-child(2) button");
    await page.waitForSelector("#value .body");
  });
  await check("the hottest keys are heard", async () => {
    await page.click("#hottest button[type=submit]");
    await settled("#hottest .note", /commands in 1 s named [\d\s]+ keys/);
    assert.match((await texts("#hottest tbody tr")).slice(0, 3).join("\n"), /counter:hits\s+db0\s+[1-9]/);
  });
  await check("a command runs, a write is refused, and the arrow brings it back", async () => {
    await page.fill("#prompt input", `HMGET user:1 name "city" 'none'`);
    await page.press("#prompt input", "Enter");
    await settled("#replies", /1\) "Ada 1"\n2\) "Lisbon"\n3\) \(nil\)/);
    await page.fill("#prompt input", "SET written by-console");
    await page.press("#prompt input", "Enter");
    await settled("#replies", /The console only reads: 'set' may change something/);
    assert.equal(await redis.call(["EXISTS", "written"]), ":0\r\n");
    assert.equal(await page.innerText("#mode"), "read only");
    await page.press("#prompt input", "ArrowUp");
    assert.equal(await page.inputValue("#prompt input"), "SET written by-console");
    await page.fill("#prompt input", "GET");
    await page.press("#prompt input", "Enter");
    await settled("#replies", /\(error\) ERR wrong number of arguments for 'get' command/);
    await page.fill("#prompt input", `GET "open`);
    await page.press("#prompt input", "Enter");
    await settled("#replies", /A quote is not closed/);
  });
  await check("everything can be reached by keyboard, with a focus that is seen", async () => {
    await page.evaluate(() => scrollTo(0, 0));
    await page.reload();
    began = Date.now();
    await settled("#found-note", /so far|all/);
    const reached = new Set();
    for (let step = 0; step < 60; step++) {
      await page.keyboard.press("Tab");
      const focus = await page.evaluate(() => {
        const at = document.activeElement;
        if (at === document.body) return null;
        const style = getComputedStyle(at);
        const place = at.closest("[id]")?.id ?? at.tagName;
        return { place, seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2, inList: at.closest("#found") !== null };
      });
      if (!focus) break;
      assert.ok(focus.seen, `the focus in ${focus.place} is not seen`);
      reached.add(focus.place);
      // The list has a hundred stops; the arrows go through it.
      if (focus.inList && !reached.has("arrows")) {
        reached.add("arrows");
        const first = await page.evaluate(() => document.activeElement.innerText);
        await page.keyboard.press("ArrowDown");
        assert.notEqual(await page.evaluate(() => document.activeElement.innerText), first);
        await page.keyboard.press("Enter");
        await page.waitForSelector("#value .body");
        await page.locator("#more").focus();
      }
    }
    for (const place of ["pause", "search", "found", "value", "replies", "prompt", "biggest", "hottest"]) assert.ok(reached.has(place), `${place} of ${[...reached]}`);
  });
  await check("every field and button has a name", async () => {
    const nameless = await page.evaluate(() =>
      [...document.querySelectorAll("input, select, button, svg, a")]
        .filter((node) => !(node.labels?.length || node.getAttribute("aria-label") || node.textContent.trim()))
        .map((node) => node.outerHTML));
    assert.deepEqual(nameless, []);
  });
  await check("text is legible in both themes", async () => {
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      assert.equal(parseInt(ground.match(/\d+/)[0], 10) < 60, colorScheme === "dark", `${colorScheme}: ${ground}`);
      assert.deepEqual(await page.evaluate(poorContrast, CONTRAST_MIN), [], colorScheme);
      if (process.env.CONSOLE_SHOTS) await page.screenshot({ path: `${process.env.CONSOLE_SHOTS}-${colorScheme}.png`, fullPage: true });
    }
    await page.emulateMedia({ colorScheme: "light" });
  });
  await check("it fits a width of 360 pixels", async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360);
    if (process.env.CONSOLE_SHOTS) await page.screenshot({ path: `${process.env.CONSOLE_SHOTS}-narrow.png`, fullPage: true });
    await page.setViewportSize({ width: 1440, height: 900 });
  });
  await check("pausing stops the questions", async () => {
    await page.click("#pause");
    await settled("#status", /^paused$/);
    let asked = 0;
    await page.waitForTimeout(1100);
    page.on("request", () => (asked += 1));
    await page.waitForTimeout(2200);
    assert.equal(asked, 0);
    await page.click("#pause");
    await settled("#status", /^ready$/);
  });
  await check("a picture of it", async () => {
    const file = screenshot || picture;
    // The picture shows every panel at work.
    await openKey("user:7", "hash");
    await page.fill("#search input[name=match]", "*");
    await page.selectOption("#search select[name=type]", "");
    await settled("#found-note", /so far|all/);
    for (const line of ["ZRANGE scores:2026 0 2 REV WITHSCORES", "TTL session:000001", "DEL user:7"]) {
      await page.fill("#prompt input", line);
      await page.press("#prompt input", "Enter");
      await page.waitForTimeout(200);
    }
    await page.click("#biggest button[type=submit]");
    await page.click("#hottest button[type=submit]");
    await settled("#hottest .note", /named/);
    await settled("#biggest .note", /looked at; db0/);
    if (screenshot) await page.waitForTimeout(Math.max(0, 122000 - (Date.now() - began)));
    await page.evaluate(() => {
      document.activeElement.blur();
      scrollTo(0, 0);
    });
    fs.mkdirSync(path.dirname(file), { recursive: true });
    await page.screenshot({ path: file, fullPage: true });
    assert.ok(fs.statSync(file).size > 10000);
  });
  await check("nothing went wrong and nothing went out", async () => assert.deepEqual(wrong, []));

  const closed = await context.newPage();
  closed.setDefaultTimeout(20000);
  const lockedOrigin = `http://127.0.0.1:${lockedPort}`;
  const lockedWrong = watch(closed, lockedOrigin, ["status of 401"]);
  await check("with a password it asks for the token and keeps it in the tab", async () => {
    await closed.goto(`${lockedOrigin}/-/`);
    await closed.waitForSelector("#login[open]");
    assert.equal(await closed.innerText("#commands tbody"), "");
    await closed.keyboard.type("wrong");
    await closed.keyboard.press("Enter");
    await closed.waitForFunction(() => document.querySelector("#login-error").textContent.includes("not it"));
    await closed.keyboard.type("secret");
    await closed.keyboard.press("Enter");
    await closed.waitForFunction(() => document.querySelector("#status").textContent === "ready");
    assert.equal(await closed.locator("#login[open]").count(), 0);
    const kept = await closed.evaluate(() => [sessionStorage.length, localStorage.length, document.cookie]);
    assert.deepEqual(kept, [1, 0, ""]);
    assert.deepEqual(await context.cookies(), []);
  });
  await check("with http-console-writes a write is carried out", async () => {
    assert.equal(await closed.innerText("#mode"), "may write");
    await closed.fill("#prompt input", `SET "a b" "x\\x00"`);
    await closed.press("#prompt input", "Enter");
    await closed.waitForFunction(() => /\nOK\n/.test(document.querySelector("#replies").innerText));
    await closed.fill("#prompt input", `GET "a b"`);
    await closed.press("#prompt input", "Enter");
    await closed.waitForFunction(() => document.querySelector("#replies").innerText.includes(`"x\\u{00}"`));
    assert.deepEqual(lockedWrong, []);
  });
  stop();
  await browser.close();
  process.exit(failed ? 1 : 0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
