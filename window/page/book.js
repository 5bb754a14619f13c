// The book now, the newest trades, z-scores as a table: what is read rather than seen.

import { price, signed, significant, size, time, write } from "./format.js";
import { HAIR } from "./view.js";

const LEVELS = 10;

/** The best levels of either side, sizes as bars to the same scale. */
export class Ladder {
  constructor(table) {
    this.asks = Array.from({ length: LEVELS }, (_, i) => this.row(LEVELS - 1 - i, "ask"));
    this.between = document.createElement("tr");
    this.between.className = "between";
    this.spread = document.createElement("td");
    this.spread.colSpan = 3;
    this.between.append(this.spread);
    this.bids = Array.from({ length: LEVELS }, (_, i) => this.row(i, "bid"));
    table.tBodies[0].append(...this.asks.map((row) => row.element), this.between, ...this.bids.map((row) => row.element));
  }

  row(level, side) {
    const element = document.createElement("tr");
    const cells = ["bids", "price", "asks"].map((name) => {
      const cell = document.createElement("td");
      cell.className = name === "price" ? side : name;
      const [bar, text] = [document.createElement("span"), document.createElement("span")];
      bar.className = name === `${side}s` ? "bar" : "";
      cell.append(bar, text);
      return { cell, bar, text };
    });
    element.append(...cells.map(({ cell }) => cell));
    if (level === 0) element.className = "best";
    return { element, cells, level };
  }

  draw(series, at, decimals) {
    let most = 0;
    for (let level = 0; level < LEVELS; level += 1) {
      most = Math.max(most, series.at(`bid_size_${level}`, at) || 0, series.at(`ask_size_${level}`, at) || 0);
    }
    for (const [side, rows, own] of [["ask", this.asks, 2], ["bid", this.bids, 0]]) {
      for (const { cells, level } of rows) {
        const [at_price, at_size] = [series.at(`${side}_price_${level}`, at), series.at(`${side}_size_${level}`, at)];
        write(cells[1].text, price(at_price, decimals));
        write(cells[own].text, size(at_size));
        cells[own].bar.style.transform = `scaleX(${most && at_size > 0 ? at_size / most : 0})`;
      }
    }
    const [bid, ask] = [series.at("bid_price", at), series.at("ask_price", at)];
    const text = `spread ${price(ask - bid, decimals)} · ${significant((1e4 * 2 * (ask - bid)) / (ask + bid), 2)} bp`;
    write(this.spread, text);
  }
}

/** The newest rows of a table, newest first; `cells` gives the texts of one row, and the class of each. */
export class Newest {
  constructor(table, most, cells) {
    this.body = table.tBodies[0];
    this.most = most;
    this.cells = cells;
    this.drawn = "";
  }

  draw(series, now) {
    const end = series.find(now + HAIR);
    const mark = `${end} ${series.at("ts", end - 1)}`;
    if (mark === this.drawn) return;
    this.drawn = mark;
    const rows = [];
    for (let r = end - 1; r >= Math.max(0, end - this.most); r -= 1) {
      const row = document.createElement("tr");
      for (const [text, name] of this.cells(series, r)) {
        const cell = document.createElement("td");
        cell.textContent = text;
        cell.className = name ?? "";
        row.append(cell);
      }
      rows.push(row);
    }
    this.body.replaceChildren(...rows);
  }
}

/** A trade: arrow and word beside the colour, for who does not see it. */
export function tradeCells(decimals) {
  return (series, r) => {
    const buyer = series.get("side")[r] > 0;
    const side = buyer ? "bid" : "ask";
    return [
      [time(series.get("ts")[r])], [buyer ? "▲ buyer" : "▼ seller", side],
      [price(series.get("price")[r], decimals()), side], [size(series.get("size")[r])],
    ];
  };
}

/** Own orders that are open at a time, the newest first, from what has become of each. */
export class Orders {
  constructor(table, statuses) {
    this.body = table.tBodies[0];
    this.key = table.closest("figure").querySelector(".key");
    this.statuses = statuses;
    this.drawn = "";
  }

  draw(series, now, decimals) {
    const end = series.find(now + HAIR);
    const mark = `${end} ${series.at("ts", end - 1)} ${decimals}`;
    if (mark === this.drawn) return;
    this.drawn = mark;
    const open = new Map();
    const words = this.statuses();
    for (let r = 0; r < end; r += 1) {
      const id = series.get("order_id")[r];
      const status = words[series.get("status")[r]];
      if (status === "accepted" || status === "part") open.set(id, [open.get(id)?.[0] ?? r, r]);
      else if (status !== "rejected") open.delete(id); // a change of it may be rejected: it stays as it was
    }
    this.key.textContent = open.size ? String(open.size) : "none";
    this.body.replaceChildren(...[...open.values()].reverse().map(([first, r]) => {
      const row = document.createElement("tr");
      const buys = series.get("side")[r] > 0;
      const [tone, at] = [buys ? "bid" : "ask", series.get("price")[r]];
      const texts = [time(series.get("ts")[first]), buys ? "▲ buy" : "▼ sell", price(at, decimals), size(series.get("leaves")[r]), size(series.get("size")[r])];
      texts.forEach((text, k) => {
        const cell = document.createElement("td");
        cell.textContent = text;
        cell.className = k === 1 || k === 2 ? tone : "";
        row.append(cell);
      });
      return row;
    }));
  }
}

export function ruleCells(words) {
  return (series, r) => [
    [time(series.get("ts")[r])], [String(series.get("rule")[r])], [words()[series.get("action")[r]] ?? "–"],
    [size(series.get("before")[r])], [size(series.get("after")[r])],
  ];
}

/** z-scores by depth and window; blue where bids grow, orange where asks do, darker the farther from 0. */
export class Scores {
  constructor(table) {
    this.table = table;
    this.made = "";
  }

  draw(series, at, depths, windows) {
    if (this.made !== `${depths} ${windows}`) this.make(depths, windows);
    const known = (series.at("warm", at) & 2) > 0;
    for (const { cell, name } of this.cells) {
      const z = series.at(name, at);
      write(cell, known ? signed(z, 1) : "…");
      const strength = known && Number.isFinite(z) ? Math.min(0.42, Math.abs(z) / 8) : 0;
      cell.style.backgroundColor = `rgba(var(--${z > 0 ? "buy" : "sell"}-rgb), ${strength.toFixed(2)})`;
    }
  }

  make(depths, windows) {
    this.made = `${depths} ${windows}`;
    this.cells = [];
    const head = document.createElement("tr");
    head.append(...["levels", ...windows].map((text) => headed(text, "col")));
    this.table.tHead.replaceChildren(head);
    this.table.tBodies[0].replaceChildren(...depths.map((depth) => {
      const row = document.createElement("tr");
      row.append(headed(String(depth), "row"));
      for (const window of windows) {
        const cell = document.createElement("td");
        this.cells.push({ cell, name: `ofi_z_${label(depth)}_${window}` });
        row.append(cell);
      }
      return row;
    }));
  }
}

/** How columns name a number of levels: the best one alone is l0. */
export function label(depth) {
  return `l${depth === 1 ? 0 : depth}`;
}

function headed(text, scope) {
  const cell = document.createElement("th");
  cell.textContent = text;
  cell.scope = scope;
  return cell;
}
