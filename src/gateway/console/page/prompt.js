// A command line: one command a line, in Redis's quoting, its reply as redis-cli shows it. What may run decides the server.

import { $, el, run, show } from "./base.js";

const LINES_MAX = 500;
const HISTORY_MAX = 200;

const form = $("#prompt");
const line = form.elements.line;
const replies = $("#replies");
const history = [];
let place = 0;

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const asked = line.value.trim();
  if (!asked) return;
  if (history.at(-1) !== asked) history.push(asked);
  history.splice(0, history.length - HISTORY_MAX);
  place = history.length;
  const db = form.elements.db.value;
  line.value = "";
  tell("asked", `db${db}> ${asked}`);
  try {
    const began = performance.now();
    const [reply] = await run(db, [words(asked)]);
    const took = performance.now() - began;
    tell(reply?.error === undefined ? "" : "bad", render(reply));
    tell("note", `${took.toFixed(1)} ms`);
  } catch (error) {
    tell("bad", error.message);
  }
});

line.addEventListener("keydown", (event) => {
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!step) return;
  event.preventDefault();
  place = Math.min(history.length, Math.max(0, place + step));
  line.value = history[place] ?? "";
});

function tell(kind, text) {
  replies.append(el("div", { class: kind }, text));
  while (replies.children.length > LINES_MAX) replies.firstChild.remove();
  replies.scrollTop = replies.scrollHeight;
}

// The words of a line as bytes: blanks part them, "…" takes \n \r \t \b \a \xHH and \c, '…' only \'.
export function words(text) {
  const raw = new TextEncoder().encode(text);
  const found = [];
  const code = (char) => char.charCodeAt(0);
  const isBlank = (byte) => byte === 32 || (byte >= 9 && byte <= 13);
  const named = { n: 10, r: 13, t: 9, b: 8, a: 7 };
  let at = 0;
  for (;;) {
    while (at < raw.length && isBlank(raw[at])) at++;
    if (at >= raw.length) break;
    const word = [];
    while (at < raw.length && !isBlank(raw[at])) {
      const quote = raw[at];
      if (quote !== code('"') && quote !== code("'")) {
        word.push(raw[at++]);
        continue;
      }
      for (at++; raw[at] !== quote; at++) {
        if (at >= raw.length) throw new Error("A quote is not closed.");
        if (raw[at] === 92 && quote === code('"') && at + 1 < raw.length) {
          const pair = String.fromCharCode(raw[at + 2] ?? 0, raw[at + 3] ?? 0);
          if (raw[at + 1] === code("x") && /^[0-9a-f]{2}$/i.test(pair)) {
            word.push(parseInt(pair, 16));
            at += 3;
          } else {
            word.push(named[String.fromCharCode(raw[++at])] ?? raw[at]);
          }
        } else if (raw[at] === 92 && raw[at + 1] === code("'")) {
          word.push(raw[++at]);
        } else {
          word.push(raw[at]);
        }
      }
      at++;
      if (at < raw.length && !isBlank(raw[at])) throw new Error("After a closing quote a blank must follow.");
      break;
    }
    found.push(Uint8Array.from(word));
  }
  return found;
}

// A reply as redis-cli shows it, elements numbered and set in.
export function render(reply, indent = "") {
  if (reply === null) return "(nil)";
  if (typeof reply === "number") return `(integer) ${reply}`;
  if (reply instanceof Uint8Array) {
    const shown = show(reply, { lines: indent === "", most: 100000 });
    return indent === "" && shown.includes("\n") ? shown : `"${shown}"`;
  }
  if (reply.error !== undefined) return `(error) ${reply.error}`;
  if (reply.status !== undefined) return reply.status;
  if (reply.length === 0) return "(empty array)";
  const width = String(reply.length).length;
  return reply
    .map((item, index) => {
      const head = `${String(index + 1).padStart(width)}) `;
      return (index ? indent : "") + head + render(item, indent + " ".repeat(head.length));
    })
    .join("\n");
}

export function setMode(writes) {
  const mode = $("#mode");
  const text = writes ? "may write" : "read only";
  if (mode.textContent === text) return;
  mode.textContent = text;
  mode.className = `pill ${writes ? "warn" : ""}`;
  mode.title = writes ? "http-console-writes yes" : "http-console-writes no: commands that may change something are refused";
}
