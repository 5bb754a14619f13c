// All instruments in a table: newest numbers, sparkline, gaps, lag. Only the rows in sight are in the document.

import { decimalsOf, price, signed, significant, span } from "./format.js";
import { POINTS, Row } from "./row.js";

const ROW = 36; // px, as in the style sheet
const STRIDE = 8; // rows by which the part that is in the document moves: between two moves nothing is laid out or painted
const BEYOND = 12; // rows above and below what is in sight
const RESTS = 200; // ms after the last scrolling
const LATE = 2000; // ms without a row, for one that is sampled more often
const ZSCORES = 2; // of `warm`

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
    this.top = 0; // px scrolled; kept here, as to ask the document may cost a layout
    this.height = 600; // px in sight
    this.moved = -Infinity; // ms, when it was scrolled
    this.verdicts = [];
    this.pending = "–"; // of what an inspection of the tape has not told yet
    // Told once a frame, before it is painted.
    root.addEventListener("scroll", () => {
      this.top = root.scrollTop;
      this.moved = performance.now();
      if (this.first() !== this.drawn) this.draw(false);
    }, { passive: true });
    new ResizeObserver(() => {
      this.height = root.clientHeight;
      this.draw();
    }).observe(root);
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
    const judged = !this.still && this.verdicts.length > 0;
    if (judged) this.shown = [...this.shown.filter(([name]) => name !== "fdi"), ["verdict", "quality"]];
    this.table.classList.toggle("still", Boolean(this.still));
    this.table.classList.toggle("judged", judged);
    this.head();
  }

  head() {
    const row = this.table.tHead.rows[0];
    row.replaceChildren(...this.shown.map(([name, title]) => {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.setAttribute("role", "columnheader");
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
    this.root.scrollTop = Math.max(0, next * ROW - this.height / 2);
    this.onChoose(this.names[this.order[next]]);
  }

  /** How many rows belong into the document, and the first of them. */
  many() {
    return Math.min(this.order.length, Math.ceil(this.height / ROW) + 2 * BEYOND + STRIDE);
  }

  first() {
    const wanted = STRIDE * Math.floor((Math.floor(this.top / ROW) - BEYOND) / STRIDE);
    return Math.max(0, Math.min(wanted, this.order.length - this.many()));
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

  /** Put the rows in sight into the document; `anew`: also those that are there already may have other numbers. */
  draw(anew = true) {
    const first = this.first();
    const count = this.many();
    this.drawn = first;
    while (this.pool.length < count) {
      this.pool.push(new Row(this.onChoose));
      this.body.append(this.pool.at(-1).element);
    }
    while (this.pool.length > count) this.pool.pop().element.remove();
    for (let place = first; place < first + count; place += 1) {
      // A row keeps its element while it is in sight, so that moving on fills only what has come.
      const row = this.pool[place % count];
      if (!anew && row.place === place) continue;
      const i = this.order[place];
      row.put(place, place * ROW, this.shown.length);
      row.name(this.names[i], this.names[i] === this.current);
      row.fill(this.texts(i), this.sparks[i]);
    }
    if (performance.now() - this.moved > RESTS) this.tidy(first, count);
    const height = `${this.order.length * ROW}px`;
    if (this.body.style.height !== height) {
      this.body.style.height = height;
      this.table.setAttribute("aria-rowcount", this.order.length + 1);
    }
  }

  /**
   * Elements in the order in which they are seen, which is that of the tab key and of screen readers. To move one costs
   * more than to fill it, so this is not done while the table moves.
   */
  tidy(first, count) {
    const wanted = Array.from({ length: count }, (_, k) => this.pool[(first + k) % count].element);
    // The one with the focus stays where it is: what is moved loses it.
    const fixed = Math.max(0, wanted.findIndex((element) => element.contains(document.activeElement)));
    for (let k = fixed - 1; k >= 0; k -= 1) if (wanted[k].nextSibling !== wanted[k + 1]) wanted[k + 1].before(wanted[k]);
    for (let k = fixed + 1; k < count; k += 1) if (wanted[k].previousSibling !== wanted[k - 1]) wanted[k - 1].after(wanted[k]);
  }

  /** The cells after name and sparkline. */
  texts(i) {
    const { decimals } = this.sparks[i];
    return this.shown.slice(2).map(([column]) => this.text(column, i, decimals));
  }
}
