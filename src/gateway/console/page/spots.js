// The biggest and the hottest keys, both by samples that are made on request and say what they are.

import { $, ask, bytes, cells, count, decode, el, failure, meter, number, run, show, text } from "./base.js";
import { showKey } from "./keys.js";

const ROWS = 15;
const STEP = 400;

const keyButton = (db, key) =>
  el("td", { class: "cut" }, el("button", { type: "button", class: "link mono", title: show(key, { most: 400 }), click: () => showKey(db, key) }, show(key, { most: 200 }) || "(empty name)"));

function panel(card, work) {
  const form = $("form", card);
  const note = $(".note", card);
  const table = $("table", card);
  const button = $("button", form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      const rows = await work(form.elements, (text) => (note.textContent = text));
      table.hidden = rows.length === 0;
      $("tbody", table).replaceChildren(...rows);
    } catch (error) {
      note.textContent = error.message;
    }
    button.disabled = false;
  });
}

panel($("#biggest"), async (fields, tell) => {
  const [db, size] = [Number(fields.db.value), Number(fields.size.value)];
  let cursor = "0";
  let looked = 0;
  let biggest = [];
  do {
    const [[next, keys]] = checked(await run(db, [["SCAN", cursor, "COUNT", STEP]]));
    cursor = text(next);
    for (let at = 0; at < keys.length; at += STEP) {
      const part = keys.slice(at, at + STEP);
      const facts = checked(await run(db, part.flatMap((key) => [["MEMORY", "USAGE", key], ["TYPE", key]])));
      part.forEach((key, index) => biggest.push({ key, memory: facts[2 * index] ?? 0, kind: text(facts[2 * index + 1]) }));
    }
    looked += keys.length;
    biggest = biggest.sort((a, b) => b.memory - a.memory).slice(0, ROWS);
    tell(`${count(looked)} keys looked at …`);
  } while (cursor !== "0" && looked < size);
  const [total] = checked(await run(db, [["DBSIZE"]]));
  tell(looked === 0 ? `db${db} holds no key.` : `Of ${count(looked)} keys looked at; db${db} has ${count(total)}.`);
  const most = biggest[0]?.memory || 1;
  return biggest.map(({ key, memory, kind }) => cells(keyButton(db, key), kind, meter(bytes(memory), memory / most)));
});

panel($("#hottest"), async (_, tell) => {
  tell("Listening …");
  const heard = await ask("/-/console/listen", {});
  const seconds = (heard.span_ms / 1000).toFixed(heard.whole ? 0 : 2);
  const end = heard.whole ? "" : " (it ended early: they were many)";
  tell(heard.commands === 0
    ? "No command came in this second."
    : `${count(heard.commands)} commands in ${seconds} s named ${count(heard.keys)} keys${end}.`);
  const most = heard.hottest[0]?.uses || 1;
  return heard.hottest.slice(0, ROWS).map(({ db, key, uses, writes }) =>
    cells(keyButton(db, decode(key)), `db${db}`, number(count(writes)), meter(count(uses), uses / most)));
});

function checked(replies) {
  const error = failure(replies);
  if (error) throw new Error(error);
  return replies;
}
