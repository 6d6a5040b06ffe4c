// A small chart of the last two minutes: one or two lines over a common axis that begins at zero.

import { el } from "./base.js";

const POINTS = 120;
const SVG = "http://www.w3.org/2000/svg";

const svg = (name, attributes) => {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
};

// 1, 2, 5, 10, 20 …: the smallest of them that is not below. In bytes, powers of two.
function ceiling(value, binary) {
  if (value <= 0) return 1;
  if (binary) return 2 ** Math.ceil(Math.log2(value));
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((bound) => bound >= value * 0.999);
}

export class Chart {
  // `lines`: one or two of { name, format }.
  constructor(card, title, lines, { binary = false } = {}) {
    this.title = title;
    this.binary = binary;
    this.format = lines[0].format;
    this.lines = lines.map((line, index) => ({ ...line, values: [], value: el("b", {}, "–"), index }));
    this.wash = svg("path", { class: "wash" });
    this.paths = this.lines.map(({ index }) => svg("path", { class: index ? "two" : "one" }));
    this.image = svg("svg", { viewBox: "0 0 119 100", preserveAspectRatio: "none", role: "img", "aria-label": title });
    for (const y of [0, 50, 100]) this.image.append(svg("line", { x1: 0, x2: 119, y1: y, y2: y }));
    this.image.append(this.wash, ...this.paths.toReversed());
    this.at = svg("line", { class: "at", x1: -1, x2: -1, y1: 0, y2: 100, visibility: "hidden" });
    this.image.append(this.at);
    this.top = el("span", { class: "top", "aria-hidden": "true" });
    this.then = el("span");
    this.image.addEventListener("pointermove", (event) => this.point(event));
    this.image.addEventListener("pointerleave", () => this.leave());
    const figures = this.lines.map(({ name, value, index }) =>
      el("div", { class: "figure" }, value, el("span", {}, el("i", { class: index ? "two" : "one" }), name)));
    card.append(
      el("div", { class: "figures" }, figures),
      el("div", { class: "plot" }, this.image, this.top),
      el("div", { class: "times", "aria-hidden": "true" }, el("span", {}, "2 min ago"), this.then, el("span", {}, "now")),
    );
  }

  // What was at the place that is pointed at, as text below.
  point(event) {
    const { left, width } = this.image.getBoundingClientRect();
    const place = Math.round(((event.clientX - left) / width) * (POINTS - 1));
    const ago = POINTS - 1 - place;
    const told = this.lines.map(({ values, format }) => {
      const value = values.at(-1 - ago);
      return value == null ? null : format(value);
    });
    if (ago < 0 || told.every((text) => text === null)) return this.leave();
    this.at.setAttribute("x1", place);
    this.at.setAttribute("x2", place);
    this.at.setAttribute("visibility", "visible");
    this.then.textContent = `${ago} s ago: ${told.map((text) => text ?? "–").join(" and ")}`;
  }

  leave() {
    this.at.setAttribute("visibility", "hidden");
    this.then.textContent = "";
  }

  // A value for each line; null where there is none.
  push(...values) {
    values.forEach((value, index) => {
      const line = this.lines[index];
      line.values.push(value);
      if (line.values.length > POINTS) line.values.shift();
      line.value.textContent = value == null ? "–" : line.format(value);
    });
    this.draw();
  }

  draw() {
    const highest = Math.max(...this.lines.flatMap(({ values }) => values.map((value) => value ?? 0)));
    const bound = ceiling(highest, this.binary);
    this.top.textContent = this.format(bound);
    this.lines.forEach(({ values }, index) => {
      const first = POINTS - values.length;
      let path = "";
      let start = null;
      let area = "";
      values.forEach((value, at) => {
        if (value == null) {
          start = null;
          return;
        }
        const point = `${first + at} ${(100 - (value / bound) * 100).toFixed(2)}`;
        path += `${start === null ? "M" : "L"}${point}`;
        area += start === null ? `M${first + at} 100L${point}` : `L${point}`;
        start ??= at;
        if (at === values.length - 1 || values[at + 1] == null) {
          // A single point is a dot.
          if (start === at) path += "h.01";
          area += `L${first + at} 100Z`;
        }
      });
      this.paths[index].setAttribute("d", path);
      if (index === 0) this.wash.setAttribute("d", area);
    });
    const told = this.lines.map(({ name, value }) => `${name} ${value.textContent}`).join(", ");
    this.image.setAttribute("aria-label", `${this.title}: ${told}; highest in two minutes ${this.format(highest)}`);
  }
}
