// Looking for keys: SCAN a page at a time, with what each key is and how long it lives.

import { $, count, el, encode, failure, run, show, text, ttl } from "./base.js";
import { open } from "./value.js";

// Keys of a page, and what one page may look at before it says how far it has come.
const PAGE = 100;
const LOOKED_AT_MAX = 20000;
const STEP = 500;

const form = $("#search");
const list = $("#found");
const note = $("#found-note");
const more = $("#more");

// The search that is shown; a new one makes the old one's answers unwanted.
let search = null;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  begin();
});
form.elements.db.addEventListener("change", begin);
form.elements.type.addEventListener("change", begin);
more.addEventListener("click", () => next(search));

export function begin() {
  const { db, match, type } = form.elements;
  search = { db: Number(db.value), match: match.value || "*", type: type.value, cursor: "0", looked: 0, found: 0, seen: new Set() };
  list.replaceChildren();
  next(search);
}

// Shows a key of another panel here too.
export function showKey(db, key) {
  form.elements.db.value = String(db);
  $("#keys").scrollIntoView();
  open(db, key);
  mark(null);
}

async function next(own) {
  more.hidden = true;
  note.textContent = "looking …";
  try {
    const until = own.found + PAGE;
    const lookedUntil = own.looked + LOOKED_AT_MAX;
    do {
      const words = ["SCAN", own.cursor, "MATCH", own.match, "COUNT", own.match === "*" && !own.type ? PAGE : STEP];
      if (own.type) words.push("TYPE", own.type);
      const replies = await run(own.db, [words]);
      const error = failure(replies);
      if (error) throw new Error(error);
      const [[cursor, keys]] = replies;
      if (own !== search) return;
      own.cursor = text(cursor);
      own.looked += words[5];
      await add(own, keys);
      if (own !== search) return;
    } while (own.cursor !== "0" && own.found < until && own.looked < lookedUntil);
    const shown = `${count(own.found)} ${own.found === 1 ? "key" : "keys"}`;
    note.textContent = own.cursor === "0" ? `${shown}, that is all` : `${shown} so far`;
    more.hidden = own.cursor === "0";
  } catch (error) {
    if (own === search) note.textContent = error.message;
  }
}

async function add(own, keys) {
  // SCAN may give a key twice while the table grows.
  const fresh = keys.filter((key) => !own.seen.has(encode(key)));
  fresh.forEach((key) => own.seen.add(encode(key)));
  if (fresh.length === 0) return;
  const facts = await run(own.db, fresh.flatMap((key) => [["TYPE", key], ["PTTL", key]]));
  if (own !== search) return;
  fresh.forEach((key, index) => {
    const kind = text(facts[2 * index]);
    // It may be gone since.
    if (kind === "none") return;
    own.found += 1;
    const label = show(key, { most: 400 });
    const button = el("button", { type: "button", title: label, click: () => {
      mark(button);
      open(own.db, key);
    } },
      el("span", { class: "kind" }, kind),
      el("span", { class: "name" }, label || "(empty name)"),
      el("span", { class: "ttl" }, ttl(facts[2 * index + 1])));
    list.append(el("li", {}, button));
  });
}

function mark(button) {
  $("[aria-current]", list)?.removeAttribute("aria-current");
  button?.setAttribute("aria-current", "true");
}

// Up and down go through the keys.
list.addEventListener("keydown", (event) => {
  const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  const row = step && event.target.closest("li")?.[step];
  if (row) {
    event.preventDefault();
    row.firstElementChild.focus();
  }
});
