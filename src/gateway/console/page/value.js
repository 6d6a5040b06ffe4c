// What a key holds, a page at a time. Everything is shown as text; bytes that are none are escaped.

import { $, bytes, count, el, failure, run, show, span, isText, text } from "./base.js";

// Elements of a page, bytes of a page of a string, bytes that are shown of one element.
const PAGE = 100;
const STRING_PAGE = 4096;
const ELEMENT_MAX = 2000;

const panel = $("#value");
let current = null;

// How many elements a value of each type has.
const LENGTH = { string: "STRLEN", list: "LLEN", hash: "HLEN", set: "SCARD", zset: "ZCARD", stream: "XLEN" };

// Opens a key of a database.
export async function open(db, key) {
  const own = (current = { db, key });
  try {
    const facts = [["TYPE", key], ["PTTL", key], ["OBJECT", "ENCODING", key], ["MEMORY", "USAGE", key]];
    const [kind, life, encoding, memory] = await run(db, facts);
    const type = text(kind);
    if (type === "none") return frame(own, [], [el("p", { class: "note empty" }, "There is no such key (any more).")]);
    const length = LENGTH[type] ? (await run(db, [[LENGTH[type], key]]))[0] : null;
    if (own !== current) return;
    Object.assign(own, { type, length: typeof length === "number" ? length : 0 });
    own.facts = [
      ["type", type],
      [type === "string" ? "length" : "elements", type === "string" ? bytes(own.length) : count(own.length)],
      ["encoding", text(encoding)],
      ["memory", memory == null ? "–" : bytes(memory)],
      ["expires", life < 0 ? "never" : `in ${span(life / 1000)}`],
      ["database", String(db)],
    ];
    await page(own, 0, "0");
  } catch (error) {
    if (own === current) frame(own, [], [el("p", { class: "bad" }, error.message)]);
  }
}

// Shows the page from `start` (by number) or `cursor` (of a scan).
async function page(own, start, cursor) {
  const read = READERS[own.type];
  if (!read) {
    const hint = "The console has no view of this type: read it with its commands below.";
    return frame(own, own.facts, [el("p", { class: "note empty" }, hint)]);
  }
  const { content, shown, next } = await read(own, start, cursor);
  if (own !== current) return;
  const step = own.type === "string" ? STRING_PAGE : PAGE;
  const foot = [el("span", { role: "status" }, shown)];
  const buttons = [];
  if (start > 0) buttons.push(el("button", { type: "button", click: () => turn(own, next.scan ? 0 : start - step, "0") }, next.scan ? "First" : "Back"));
  if (next.there) buttons.push(el("button", { type: "button", click: () => turn(own, start + step, next.cursor) }, "Next"));
  buttons.push(el("button", { type: "button", click: () => open(own.db, own.key) }, "Reload"));
  foot.push(el("span", {}, buttons.flatMap((button) => [" ", button])));
  frame(own, own.facts, [el("div", { class: "body", tabindex: "0", "aria-label": "Content" }, content), el("p", { class: "foot" }, foot)]);
}

async function turn(own, start, cursor) {
  try {
    await page(own, Math.max(0, start), cursor);
  } catch (error) {
    if (own === current) frame(own, own.facts, [el("p", { class: "bad" }, error.message)]);
  }
}

function frame(own, facts, content) {
  panel.replaceChildren(
    el("h2", {}, "Value"),
    el("h3", {}, show(own.key, { most: 1000 }) || "(empty name)"),
    el("p", { class: "facts" }, facts.map(([name, value]) => el("span", {}, `${name} `, el("b", {}, value)))),
    ...content,
  );
}

async function read(own, command) {
  const replies = await run(own.db, [command]);
  const error = failure(replies);
  if (error) throw new Error(error);
  return replies[0];
}

const data = (value) => el("td", { class: "data" }, value instanceof Uint8Array ? show(value, { most: ELEMENT_MAX }) : String(value));
const side = (value) => el("td", { class: "n note" }, value);

function table(heads, rows) {
  const head = el("tr", {}, heads.map(([name, kind]) => el("th", { scope: "col", class: kind ?? "" }, name)));
  return el("table", {}, el("thead", {}, head), el("tbody", {}, rows.map((row) => el("tr", {}, row))));
}

const pairs = (flat) => Array.from({ length: flat.length / 2 }, (_, index) => [flat[2 * index], flat[2 * index + 1]]);
const between = (own, start, amount) =>
  amount ? `${count(start + 1)} to ${count(start + amount)} of ${count(own.length)}` : "nothing";
const byNumber = (own, start, amount) => ({ there: start + amount < own.length && amount > 0, cursor: "0" });
const byCursor = (cursor) => ({ there: text(cursor) !== "0", cursor: text(cursor), scan: true });

const READERS = {
  async string(own, start) {
    const part = await read(own, ["GETRANGE", own.key, start, start + STRING_PAGE - 1]);
    const content = el("pre", {}, isText(part) ? show(part, { lines: true }) : show(part));
    const shown = part.length < own.length ? `bytes ${between(own, start, part.length)}` : `${count(own.length)} bytes`;
    return { content, shown, next: byNumber(own, start, part.length) };
  },
  async list(own, start) {
    const items = await read(own, ["LRANGE", own.key, start, start + PAGE - 1]);
    const rows = items.map((item, index) => [side(count(start + index)), data(item)]);
    return { content: table([["index", "n"], ["element"]], rows), shown: between(own, start, items.length), next: byNumber(own, start, items.length) };
  },
  async zset(own, start) {
    const items = pairs(await read(own, ["ZRANGE", own.key, start, start + PAGE - 1, "WITHSCORES"]));
    const rows = items.map(([member, score], index) => [side(count(start + index)), el("td", { class: "n mono" }, text(score)), data(member)]);
    return { content: table([["rank", "n"], ["score", "n"], ["member"]], rows), shown: between(own, start, items.length), next: byNumber(own, start, items.length) };
  },
  async set(own, start, cursor) {
    const [next, items] = await read(own, ["SSCAN", own.key, cursor, "COUNT", PAGE]);
    return { content: table([["member"]], items.map((item) => [data(item)])), shown: scanned(own, items.length), next: byCursor(next) };
  },
  async hash(own, start, cursor) {
    const [next, flat] = await read(own, ["HSCAN", own.key, cursor, "COUNT", PAGE]);
    const fields = pairs(flat);
    const lives = fields.length ? await read(own, ["HPTTL", own.key, "FIELDS", fields.length, ...fields.map(([field]) => field)]) : [];
    const heads = [["field"], ["value"]];
    const isShort = lives.some((life) => life >= 0);
    if (isShort) heads.push(["expires", "n"]);
    const rows = fields.map(([field, value], index) =>
      [data(field), data(value), isShort ? side(lives[index] >= 0 ? `in ${span(lives[index] / 1000)}` : "–") : null].filter(Boolean));
    return { content: table(heads, rows), shown: scanned(own, fields.length), next: byCursor(next) };
  },
};

const scanned = (own, amount) => `${count(amount)} of ${count(own.length)}`;
