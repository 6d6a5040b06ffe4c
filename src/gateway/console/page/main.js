// The console: puts its parts together. Everything comes from this server; see the head of each part.

import { $, el } from "./base.js";
import { begin } from "./keys.js";
import { onState, watch } from "./live.js";
import { setMode } from "./prompt.js";
import "./spots.js";

const choices = document.querySelectorAll('select[name="db"]');

// The first answer tells how many databases there are; then there is something to look for keys in.
let known = 0;
onState(({ server }) => {
  setMode(server.writes);
  if (known === server.databases) return;
  known = server.databases;
  for (const choice of choices) {
    const chosen = choice.value || "0";
    choice.replaceChildren(...Array.from({ length: known }, (_, db) => el("option", { value: db }, `db${db}`)));
    choice.value = chosen;
  }
  begin();
});

watch();
