// The live figures: asked for once a second, rates and percentiles made of the difference to the answer before.

import { $, ask, bytes, cells, count, el, meter, nanos, number, short, span } from "./base.js";
import { Chart } from "./chart.js";

const PERIOD = 1000;

const charts = {
  ops: new Chart($("#chart-ops"), "Operations a second", [{ name: "operations", format: short }]),
  latency: new Chart($("#chart-latency"), "Latency of commands", [
    { name: "p50", format: nanos },
    { name: "p99", format: nanos },
  ]),
  memory: new Chart($("#chart-memory"), "Memory", [
    { name: "in use", format: bytes },
    { name: "resident", format: bytes },
  ], { binary: true }),
  network: new Chart($("#chart-network"), "Network", [
    { name: "in, a second", format: bytes },
    { name: "out, a second", format: bytes },
  ], { binary: true }),
};

let before = null;
let paused = false;
const listeners = [];

// Calls back with each state.
export const onState = (listener) => listeners.push(listener);

const pause = $("#pause");
pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  pause.textContent = paused ? "Go on" : "Pause";
  if (paused) status("paused", "");
});

export async function watch() {
  for (;;) {
    if (!paused && !document.hidden) {
      try {
        const state = await ask("/-/console/state");
        // A server that started anew counts from zero.
        if (before && before.server.run_id !== state.server.run_id) before = null;
        render(state, before);
        listeners.forEach((listener) => listener(state));
        before = state;
      } catch (error) {
        before = null;
        status(error.status ? error.message : "no connection", "bad");
      }
    }
    await new Promise((resolve) => setTimeout(resolve, PERIOD));
  }
}

function status(text, kind) {
  const pill = $("#status");
  if (pill.textContent !== text) pill.textContent = text;
  pill.className = `pill ${kind}`;
}

function render(state, last) {
  const { server, log } = state;
  const seconds = last ? Math.max(0.001, (state.elapsed_ms - last.elapsed_ms) / 1000) : 0;
  // A counter that was reset meanwhile has no rate.
  const rate = (pick) => (last ? Math.max(0, pick(state) - pick(last)) / seconds : null);

  if (server.loading) status("loading", "warn");
  else if (log.fault) status("writes refused", "bad");
  else status("ready", "good");
  const up = span((state.now_ms - server.started_ms) / 1000);
  const workers = state.workers.length - 1;
  $("#facts").textContent =
    `${server.version} · port ${server.port} · ${workers} worker${workers === 1 ? "" : "s"} · up ${up}`;

  charts.ops.push(rate((s) => s.totals.commands));
  charts.latency.push(...percentiles(state.latency, last?.latency, [0.5, 0.99]));
  charts.memory.push(state.memory.used, state.memory.resident);
  charts.network.push(rate((s) => s.totals.bytes_in), rate((s) => s.totals.bytes_out));

  renderCommands(state, last, seconds);
  renderLog(state, rate);
  renderDatabases(state);
  renderWorkers(state, last, seconds);
  renderSlowlog(state);
  renderClients(state);
}

// Percentiles of what came between two sets of buckets: pairs of a bucket's end in nanoseconds and its count.
export function percentiles(now, then, shares) {
  if (!then) return shares.map(() => null);
  const old = new Map(then);
  const rows = now.map(([end, amount]) => [end, Math.max(0, amount - (old.get(end) ?? 0))]);
  const total = rows.reduce((sum, [, amount]) => sum + amount, 0);
  return shares.map((share) => {
    let rank = Math.max(1, Math.ceil(total * share));
    return rows.find(([, amount]) => (rank -= amount) <= 0)?.[0] ?? null;
  });
}

function renderCommands(state, last, seconds) {
  const old = new Map(last?.commands.map((row) => [row.name, row.calls]));
  const rows = state.commands.toSorted((a, b) => b.calls - a.calls).slice(0, 40);
  fill("#commands", rows.map((row) =>
    cells(
      el("td", { class: "mono" }, row.name),
      number(count(row.calls)),
      number(last ? short(Math.max(0, row.calls - (old.get(row.name) ?? 0)) / seconds) : "–"),
      number(nanos(row.p50_ns)),
      number(nanos(row.p99_ns)),
      el("td", { class: row.errors ? "n bad" : "n" }, count(row.errors)),
    )), "No command was called yet.");
}

function renderLog(state, rate) {
  const { log, saves } = state;
  const pill = $("#log-state");
  const [word, kind] = log.fault ? ["failed", "bad"] : log.on ? ["on", "good"] : ["off", "warn"];
  pill.textContent = word;
  pill.className = `pill ${kind}`;
  const ago = (millis) => `${span((state.now_ms - millis) / 1000)} ago`;
  const groups = rate((s) => s.log.groups);
  const records = rate((s) => s.log.group_records);
  const behind = Math.max(0, log.written - log.durable);
  const growth = log.base_bytes ? Math.round(((log.bytes - log.base_bytes) / log.base_bytes) * 100) : 0;
  const rewrite = saves.rewriting
    ? "under way"
    : saves.rewrites || !saves.rewrite_ok
      ? `${count(saves.rewrites)}, the last ${saves.rewrite_ok ? `took ${span(Math.max(0, saves.rewrite_seconds))}` : "failed"}`
      : "none yet";
  const snapshot = saves.saving
    ? "under way"
    : !saves.save_ok
      ? "the last one failed"
      : saves.saves
        ? `${ago(saves.save_at_s * 1000)}, ${count(saves.changes)} changes since`
        : "none yet";
  const rows = log.on
    ? [
        ["appendfsync", log.fsync],
        ["size", `${bytes(log.bytes)}, ${growth > 0 ? `grown by ${count(growth)} %` : "not grown"}`],
        ["written", groups == null ? "–" : `${bytes(rate((s) => s.log.group_bytes))} a second`],
        ["records in a group", groups ? short(records / groups) : "–"],
        ["last sync", log.last_sync_ms ? ago(log.last_sync_ms) : "none yet"],
        ["not yet on the device", behind ? `${count(behind)} records` : "nothing"],
        ["late syncs", count(log.delayed_fsyncs)],
        ["rewrites", rewrite],
      ]
    : [["writes", "are not logged: appendonly no"]];
  if (log.fault) rows.unshift(["fault", el("span", { class: "bad" }, log.fault)]);
  rows.push(["snapshot", snapshot]);
  $("#log dl").replaceChildren(...rows.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

function renderDatabases(state) {
  const { hits, misses } = state.totals;
  $("#hit-rate").textContent = hits + misses ? `${((hits / (hits + misses)) * 100).toFixed(1)} % of reads found their key` : "";
  fill("#databases", state.databases.map((row) =>
    cells(`db${row.db}`, number(count(row.keys)), number(count(row.expires)),
      number(row.expires ? span(row.mean_ttl_ms / 1000) : "–"), number(bytes(row.bytes)))));
}

function renderWorkers(state, last, seconds) {
  const old = new Map(last?.workers.map((row) => [row.name, row]));
  fill("#workers", state.workers.map((row) => {
    const then = old.get(row.name);
    if (!then) return cells(row.name, number("–"), number("–"), number("–"));
    const commands = Math.max(0, row.commands - then.commands);
    const turns = Math.max(0, row.turns - then.turns);
    const share = Math.max(0, row.cpu_ns - then.cpu_ns) / 1e9 / seconds;
    return cells(row.name, number(short(commands / seconds)), number(turns ? short(commands / turns) : "–"),
      meter(`${(share * 100).toFixed(0)} %`, share));
  }));
}

function renderSlowlog(state) {
  const { length, threshold_us: threshold, entries } = state.slowlog;
  $("#slowlog-note").textContent = threshold < 0 ? "is off" : `${count(length)} over ${nanos(threshold * 1000)}`;
  fill("#slowlog", entries.map((row) =>
    cells(
      el("td", { title: new Date(row.at_s * 1000).toISOString() }, `${span(Math.max(0, state.now_ms / 1000 - row.at_s))} ago`),
      number(nanos(row.micros * 1000)),
      el("td", { class: "data" }, row.command),
      row.name ? `${row.name}, ${row.address}` : row.address,
    )), "No command took so long.");
}

function renderClients(state) {
  const { connected, blocked, max, list } = state.clients;
  const more = connected > list.length ? `, the first ${list.length} shown` : "";
  $("#clients-note").textContent = `${count(connected)} of ${count(max)}${blocked ? `, ${count(blocked)} waiting` : ""}${more}`;
  fill("#clients", list.map((row) =>
    cells(row.address, row.name || "–",
      el("td", { class: "mono" }, row.command ?? (row.commands ? "–" : "(HTTP)"), row.blocked ? " (waits)" : ""),
      number(count(row.commands)), number(span(row.idle_s)), number(span(row.age_s)))));
}

// Replaces a table's rows; what was scrolled to stays in view.
function fill(card, rows, otherwise) {
  const body = $(`${card} tbody`);
  const columns = $(`${card} thead tr`).children.length;
  if (rows.length === 0 && otherwise) rows = [el("tr", {}, el("td", { colspan: columns, class: "note" }, otherwise))];
  body.replaceChildren(...rows);
}
