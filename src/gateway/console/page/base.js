// What all parts of the page share: elements, numbers as text, bytes as text, and asking the server.
//
// Text gets onto the page as text nodes only; nothing here or elsewhere builds HTML out of strings.

export const $ = (selector, within = document) => within.querySelector(selector);

// An element with attributes and children; a child that is no node becomes text. Functions become listeners.
export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(key, value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value != null) node.setAttribute(key, value);
  }
  node.append(...children.flat().filter((child) => child != null));
  return node;
}

export const cells = (...contents) =>
  el("tr", {}, contents.map((content) => (content?.nodeName === "TD" ? content : el("td", {}, content))));

export const number = (text) => el("td", { class: "n" }, text);

// A share of one as a small bar beside its text. Only the width is set by script.
export function meter(text, share) {
  const bar = el("i");
  bar.style.width = `${Math.min(100, Math.max(0, share * 100))}%`;
  return el("td", { class: "n" }, text, el("span", { class: "meter", "aria-hidden": "true" }, bar));
}

// Numbers as people read them.

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
export const count = (value) => grouped.format(value).replaceAll(",", "\u202f");

export function short(value) {
  if (value < 10 && value % 1 !== 0) return value.toFixed(1);
  if (value < 10000) return count(Math.round(value));
  for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (value >= size) return `${(value / size).toFixed(value / size < 100 ? 1 : 0)} ${unit}`;
  }
  return String(value);
}

export function bytes(value) {
  if (value < 1024) return `${Math.round(value)} B`;
  let unit = "";
  for (unit of ["kB", "MB", "GB", "TB"]) {
    value /= 1024;
    if (value < 1024) break;
  }
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${unit}`;
}

export function nanos(value) {
  if (value == null) return "–";
  for (const [size, unit] of [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]]) {
    if (value >= size) return `${(value / size).toFixed(value / size < 10 ? 1 : 0)} ${unit}`;
  }
  return `${Math.round(value)} ns`;
}

// A span of time in seconds, in its largest unit or two.
export function span(seconds) {
  if (seconds < 1) return `${Math.max(0, seconds).toFixed(1)} s`;
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

export const ttl = (millis) => (millis < 0 ? "" : span(millis / 1000));

// Keys and values are bytes. They travel in base64, and are shown as text where they are text.

const strict = new TextDecoder("utf-8", { fatal: true });

export const encode = (data) => {
  const raw = typeof data === "string" ? new TextEncoder().encode(data) : data;
  let text = "";
  for (let at = 0; at < raw.length; at += 8192) text += String.fromCharCode(...raw.subarray(at, at + 8192));
  return btoa(text);
};

export const decode = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

// Control characters, and those that turn the direction of text around or cannot be seen.
const hidden = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;
const named = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };
const hex = (value) => value.toString(16).padStart(2, "0");

// Bytes as one line of text: escaped where they are not text. `lines` keeps line breaks and tabs as they are.
export function show(data, { lines = false, most = Infinity } = {}) {
  const part = data.length > most ? data.subarray(0, most) : data;
  let text;
  try {
    text = strict.decode(trimmed(part, data.length > most));
    text = text.replace(hidden, (char) =>
      lines && (char === "\n" || char === "\t") ? char : named[char] ?? `\\u{${hex(char.codePointAt(0))}}`);
  } catch {
    text = Array.from(part, (byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : `\\x${hex(byte)}`)).join("");
  }
  return data.length > most ? `${text} … (${bytes(data.length)})` : text;
}

export function isText(data) {
  try {
    return !/[\u0000-\u0008\u000e-\u001f]/.test(strict.decode(data));
  } catch {
    return false;
  }
}

// A cut must not leave a part of a character, which would make all of it look binary.
function trimmed(part, isCut) {
  let end = part.length;
  if (isCut) for (let back = 0; back < 4 && end > 0 && (part[end - 1] & 0xc0) === 0x80; back++) end--;
  if (isCut && end > 0 && part[end - 1] >= 0xc0) end--;
  return isCut ? part.subarray(0, end) : part;
}

// Asking the server. The token stays in this tab's session storage; no cookie and no browser login is used.

const TOKEN = "pinstripe-token";
let login = null;

export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

export async function ask(path, body) {
  for (;;) {
    const token = sessionStorage.getItem(TOKEN);
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const method = body === undefined ? "GET" : "POST";
    const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body), credentials: "omit", cache: "no-store" });
    const found = await answer.json();
    if (answer.ok) return found;
    if (answer.status !== 401) throw new Refused(answer.status, found.error ?? `HTTP ${answer.status}`);
    await askForToken(token !== null && token === sessionStorage.getItem(TOKEN));
  }
}

// All who find the door locked wait for the same answer.
function askForToken(wasWrong) {
  login ??= new Promise((resolve) => {
    const dialog = $("#login");
    const field = $("input", dialog);
    $("#login-error").textContent = wasWrong ? "That is not it: try again." : "";
    field.value = "";
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    $("form", dialog).addEventListener("submit", () => {
      sessionStorage.setItem(TOKEN, field.value);
      login = null;
      resolve();
    }, { once: true });
    dialog.showModal();
    field.focus();
  });
  return login;
}

// Runs commands in a database. Words are strings or bytes; the replies have bytes where the server gave base64.
export async function run(db, commands) {
  const words = commands.map((command) => command.map((word) => encode(typeof word === "number" ? String(word) : word)));
  return (await ask(`/-/console/run?db=${db}`, words)).map(revive);
}

function revive(reply) {
  if (Array.isArray(reply)) return reply.map(revive);
  return reply?.text === undefined ? reply : decode(reply.text);
}

export const text = (reply) => (reply instanceof Uint8Array ? show(reply) : reply?.status ?? reply?.error ?? String(reply));

// The first error among replies, if there is one.
export const failure = (replies) => replies.find((reply) => reply?.error !== undefined)?.error;
