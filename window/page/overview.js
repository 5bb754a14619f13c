// All instruments in a table: newest numbers, sparkline, gaps, lag. Only the rows in sight are in the document.

import { decimalsOf, price, signed, significant, span } from "./format.js";

const ROW = 36; // px, as in the style sheet
const STRIDE = 8; // rows by which the part that is in the document moves: each move costs a layout
const BEYOND = 12; // rows above and below what is in sight
const LATE = 2000; // ms without a row, for one that is sampled more often
const ZSCORES = 2; // of `warm`
const POINTS = 60;
const SVG = "http://www.w3.org/2000/svg";

export class Overview {
  constructor(root, onChoose) {
    this.root = root;
    this.table = root.querySelector("table");
    this.body = root.querySelector("tbody");
    this.onChoose = onChoose;
    this.names = [];
    this.order = [];
    this.filter = "";
    this.sorted = { column: "name", falling: false };
    this.current = "";
    this.ahead = 0; // ms of the engine's clock beyond ours
    this.pool = [];
    this.verdicts = [];
    this.pending = "–"; // of what an inspection of the tape has not told yet
    let asked = false;
    root.addEventListener("scroll", () => {
      if (asked) return;
      asked = true;
      requestAnimationFrame(() => {
        asked = false;
        const first = this.first();
        if (first !== this.drawn) this.draw(first);
      });
    }, { passive: true });
    this.schema(["ts"]);
  }

  schema(columns) {
    this.columns = columns;
    this.names = [];
    this.values = columns.map(() => []);
    this.sparks = [];
    this.at = Object.fromEntries(columns.map((name, i) => [name, i]));
    this.z = columns.find((name) => name.startsWith("ofi_z_")) ?? "";
    this.shown = this.still
      ? [["name", "instrument"], ["spark", "whole"], ["mid", "mid"], ["spread", "spread"], ["fdi", "FDI"], ["gaps", "gaps"],
          ["latency", "lag"], ["verdict", "quality"]]
      : [["name", "instrument"], ["spark", "1 min"], ["mid", "mid"], ["spread", "spread"],
          [this.z, this.z.replace("ofi_z_", "z ")], ["fdi", "FDI"], ["gaps", "gaps"], ["lag", "lag"]];
    this.table.classList.toggle("still", Boolean(this.still));
    this.head();
  }

  head() {
    const row = this.table.tHead.rows[0];
    row.replaceChildren(...this.shown.map(([name, title]) => {
      const cell = document.createElement("th");
      cell.scope = "col";
      if (name === "spark") {
        cell.textContent = title;
        return cell;
      }
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = title;
      button.addEventListener("click", () => this.sort(name));
      cell.append(button);
      if (name === this.sorted.column) cell.setAttribute("aria-sort", this.sorted.falling ? "descending" : "ascending");
      return cell;
    }));
  }

  sort(column) {
    const same = this.sorted.column === column;
    this.sorted = { column, falling: same ? !this.sorted.falling : column !== "name" };
    this.head();
    this.arrange();
  }

  add(first, names) {
    names.forEach((name, i) => {
      this.names[first + i] = name;
      this.values.forEach((column) => (column[first + i] = NaN));
      this.sparks[first + i] = { points: new Float64Array(POINTS).fill(NaN), second: 0, decimals: 0 };
    });
    this.arrange();
  }

  history(first, columns) {
    for (let i = 0; columns.length && i < columns[0].length; i += 1) {
      const spark = this.sparks[first + i];
      columns.forEach((column, k) => (spark.points[k] = column[i]));
      spark.second -= 1e-9; // drawn anew
    }
  }

  take(columns) {
    const [which, ...rest] = columns;
    for (let r = 0; r < which.length; r += 1) {
      const i = which[r];
      rest.forEach((column, c) => (this.values[c][i] = column[r]));
      const spark = this.sparks[i];
      const second = Math.floor(this.values[this.at.ts][i] / 1000);
      if (second > spark.second) {
        spark.points.copyWithin(0, 1);
        spark.points[POINTS - 1] = this.values[this.at.known][i] ? this.values[this.at.mid][i] : NaN;
        spark.decimals = Math.max(spark.decimals, decimalsOf([this.values[this.at.bid_price][i], this.values[this.at.ask_price][i]]));
        spark.second = second;
      }
    }
  }

  value(name, i) {
    if (name === "name") return this.names[i];
    if (name === "lag") return this.lag(i);
    if (name === this.z && !(this.value("warm", i) & ZSCORES)) return NaN;
    return this.values[this.at[name]]?.[i] ?? NaN;
  }

  /** ms between the newest frame in the row and now, by the engine's clock. */
  lag(i) {
    const passed = Date.now() + this.ahead - (this.values[this.at.receive_ts]?.[i] ?? NaN);
    return passed < 0 ? 0 : passed; // the message that told their clock was late itself
  }

  search(text) {
    this.filter = text.trim().toLowerCase();
    this.arrange();
    this.root.scrollTop = 0;
  }

  arrange() {
    const { column, falling } = this.sorted;
    const wanted = [];
    for (let i = 0; i < this.names.length; i += 1) if (this.names[i].toLowerCase().includes(this.filter)) wanted.push(i);
    const sign = falling ? -1 : 1;
    const keys = this.names.map((name, i) => this.value(column, i));
    wanted.sort((a, b) => {
      if (keys[a] === keys[b]) return a - b;
      if (Number.isNaN(keys[a])) return 1; // what is not known stands last, whatever the order
      if (Number.isNaN(keys[b])) return -1;
      return keys[a] < keys[b] ? -sign : sign;
    });
    this.order = wanted;
    this.draw();
  }

  /** The instrument so many rows further. */
  neighbour(step) {
    const at = this.order.findIndex((i) => this.names[i] === this.current);
    const next = Math.min(this.order.length - 1, Math.max(0, at + step));
    if (this.order.length === 0) return;
    this.root.scrollTop = Math.max(0, next * ROW - this.root.clientHeight / 2);
    this.onChoose(this.names[this.order[next]]);
  }

  /** The first row that belongs into the document. */
  first() {
    return Math.max(0, STRIDE * Math.floor((Math.floor(this.root.scrollTop / ROW) - BEYOND) / STRIDE));
  }

  /** What a cell says, and how it looks. */
  text(column, i, decimals) {
    const value = this.value(column, i);
    switch (column) {
      case "mid": return [price(value, decimals + 1), ""];
      case "spread": case "fdi": return [significant(value), ""];
      case "gaps": return [this.still && !Number.isFinite(this.value("verdict", i)) ? this.pending : String(value || 0), ""];
      case "latency": return [Number.isFinite(value) ? span(value) : this.pending, ""];
      case "verdict": return [this.verdicts[value] ?? this.pending, ["", "late", "lost"][value] ?? ""];
      case "lag": {
        const [known, waiting] = [this.value("known", i), !Number.isFinite(this.value("ts", i))];
        return [waiting ? "waiting" : known === 0 ? "no book" : span(value), known === 0 || waiting ? "lost" : value > LATE ? "late" : ""];
      }
      default: return [signed(value, 1), ""];
    }
  }

  draw(first = this.first()) {
    this.drawn = first;
    const count = Math.min(this.order.length - first, Math.ceil((this.root.clientHeight || 600) / ROW) + 2 * BEYOND + STRIDE);
    while (this.pool.length < count) this.pool.push(this.row());
    // A row keeps its element while it is in sight, so that moving on fills only what has come.
    const rows = Array.from({ length: Math.max(0, count) }, (_, k) => this.pool[(first + k) % this.pool.length]);
    rows.forEach((row, k) => this.fill(row, this.order[first + k], first + k));
    const spacers = [this.spacer("above", first * ROW), this.spacer("below", (this.order.length - first - rows.length) * ROW)];
    const wanted = [spacers[0], ...rows.map((row) => row.element), spacers[1]].filter(Boolean);
    const kept = new Set(wanted);
    for (const element of [...this.body.children]) if (!kept.has(element)) element.remove();
    let at = this.body.firstChild;
    for (const element of wanted) {
      if (element === at) at = at.nextSibling;
      else this.body.insertBefore(element, at);
    }
    this.table.setAttribute("aria-rowcount", this.order.length + 1);
  }

  spacer(name, height) {
    if (height <= 0) return null;
    this[name] ??= Object.assign(document.createElement("tr"), { ariaHidden: "true" });
    this[name].style.height = `${height}px`;
    return this[name];
  }

  row() {
    const element = document.createElement("tr");
    const button = document.createElement("button");
    button.type = "button";
    const head = document.createElement("th");
    head.scope = "row";
    head.append(button);
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 56 20");
    svg.setAttribute("aria-hidden", "true");
    const cells = this.shown.slice(1).map(() => document.createElement("td"));
    cells[0].append(svg);
    element.append(head, ...cells);
    element.addEventListener("click", () => this.onChoose(button.dataset.name));
    return { element, button, svg, cells };
  }

  fill(row, i, place) {
    const name = this.names[i];
    if (row.button.dataset.name !== name) {
      row.button.dataset.name = name;
      const [venue, symbol] = name.split(":");
      const small = document.createElement("small");
      small.textContent = venue;
      row.button.replaceChildren(symbol, " ", small);
      row.button.title = name;
    }
    row.element.ariaRowIndex = String(place + 2);
    row.element.ariaCurrent = String(name === this.current);
    const { decimals } = this.sparks[i];
    this.shown.slice(2).forEach(([column], k) => {
      const cell = row.cells[k + 1];
      const [text, tone] = this.text(column, i, decimals);
      if (cell.textContent !== text) cell.textContent = text;
      if (cell.className !== tone) cell.className = tone;
    });
    const { points, second } = this.sparks[i];
    const mark = `${name} ${second}`;
    if (row.mark !== mark) row.svg.replaceChildren(...parts(points));
    row.mark = mark;
  }
}

/** Polylines of the mids, one between two gaps. */
function parts(points) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of points) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const found = [[]];
  points.forEach((value, k) => {
    if (Number.isNaN(value)) found.push([]);
    else found.at(-1).push(`${((k * 56) / (POINTS - 1)).toFixed(1)},${(high > low ? 18 - ((value - low) / (high - low)) * 16 : 10).toFixed(1)}`);
  });
  return found.filter((part) => part.length > 1).map((part) => {
    const line = document.createElementNS(SVG, "polyline");
    line.setAttribute("points", part.join(" "));
    return line;
  });
}
