// Depth over time: each level of the book as a cell whose darkness is its size; best prices and trades on top.

import { HAIR, colour, drawHoles } from "./view.js";
import { price as priceText, time } from "./format.js";
import { Sight } from "./sight.js";

const LEVELS = 20;
const [LEFT, BOTTOM, TOP, RIGHT] = [66, 24, 6, 10]; // px, as in the charts
const SHADES = 24;
const LARGE = 0.15; // of the trades in view are drawn, and …
const MOST = 50; // … no more than these: the book is to be seen
const LABEL = 28; // px, half a time

export class Heat {
  constructor(canvas, view) {
    this.canvas = canvas;
    this.view = view;
    this.sight = new Sight(canvas, () => this.draw(this.decimals, this.tick));
  }

  draw(decimals, tick) {
    const { canvas, view } = this;
    [this.decimals, this.tick] = [decimals, tick];
    const { width, height, inSight } = this.sight;
    const ratio = devicePixelRatio;
    const plot = { left: LEFT, top: TOP, width: width - LEFT - RIGHT, height: height - TOP - BOTTOM };
    const series = view.features;
    const shown = series.has("bid_price_0") ? this.columns(plot.width) : [];
    const [low, high] = this.range(series, shown, tick);
    canvas.setAttribute("aria-label", shown.length
      ? `Depth over time: prices ${priceText(low, decimals)} to ${priceText(high, decimals)}, best bid ${priceText(series.at("bid_price", view.row()), decimals)}, best ask ${priceText(series.at("ask_price", view.row()), decimals)}`
      : "Depth over time: no rows in view");
    if (!inSight) return;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    if (!series.has("bid_price_0")) return;
    const x = (ms) => plot.left + ((ms - view.from) / (view.to - view.from)) * plot.width;
    const y = (value) => plot.top + ((high - value) / (high - low)) * plot.height;
    this.axes(context, plot, low, high, x, y, decimals);
    context.save();
    context.beginPath();
    context.rect(plot.left, plot.top, plot.width, plot.height);
    context.clip();
    if (shown.length) {
      this.cells(context, series, shown, x, y, tick);
      this.best(context, series, shown, x, y);
      this.trades(context, x, y, low, high);
    }
    context.restore();
    const inside = (ms) => Math.min(plot.left + plot.width, Math.max(plot.left, x(ms)));
    drawHoles(context, view.holes(), inside, plot.top, plot.height, 1);
  }

  /** Rows to draw: at most one every two pixels, and the row at which each ends. */
  columns(width) {
    const [first, end] = this.view.rows();
    const step = Math.max(1, Math.ceil((end - first) / (width / 2)));
    const { gaps } = this.view.features;
    const shown = [];
    for (let r = first; r < end; r += step) {
      let next = Math.min(end - 1, r + step);
      for (let k = r + 1; k <= next; k += 1) if (gaps[k]) next = k - 1;
      shown.push([r, next]);
    }
    return shown;
  }

  /** The prices in view and ten levels around them. */
  range(series, shown, tick) {
    let [low, high] = [Infinity, -Infinity];
    for (const [r] of shown) {
      for (const level of [9, 0]) {
        const [bid, ask] = [series.get(`bid_price_${level}`)[r], series.get(`ask_price_${level}`)[r]];
        if (bid < low) low = bid;
        if (ask > high) high = ask;
      }
    }
    return Number.isFinite(high - low) ? [low - tick, high + tick] : [0, 1];
  }

  cells(context, series, shown, x, y, tick) {
    const thick = Math.max(1, Math.abs(y(0) - y(tick)));
    const ts = series.get("ts");
    const most = Math.log1p(this.typical(series, shown) * 4);
    for (const [side, rgb] of [["bid", colour("buy-rgb")], ["ask", colour("sell-rgb")]]) {
      const shades = Array.from({ length: SHADES + 1 }, () => []);
      for (let level = 0; level < LEVELS; level += 1) {
        const prices = series.get(`${side}_price_${level}`);
        const sizes = series.get(`${side}_size_${level}`);
        for (const [r, next] of shown) {
          if (!(sizes[r] > 0)) continue;
          const shade = Math.min(SHADES, Math.max(1, Math.round((SHADES * Math.log1p(sizes[r])) / most)));
          const left = x(ts[r]);
          shades[shade].push(left, y(prices[r]) - thick / 2, Math.max(1, x(ts[next]) - left) + 0.5);
        }
      }
      // One colour after the other: setting it is what costs.
      shades.forEach((cells, shade) => {
        context.fillStyle = `rgba(${rgb}, ${(0.06 + (0.84 * shade) / SHADES).toFixed(3)})`;
        for (let i = 0; i < cells.length; i += 3) context.fillRect(cells[i], cells[i + 1], cells[i + 2], thick);
      });
    }
  }

  /** The median size of what is in view, by which darkness is scaled. */
  typical(series, shown) {
    const found = [];
    const step = Math.max(1, Math.floor(shown.length / 40));
    for (let i = 0; i < shown.length; i += step) {
      for (let level = 0; level < LEVELS; level += 4) {
        for (const side of ["bid", "ask"]) {
          const size = series.get(`${side}_size_${level}`)[shown[i][0]];
          if (size > 0) found.push(size);
        }
      }
    }
    found.sort((a, b) => a - b);
    return found[found.length >> 1] ?? 1;
  }

  best(context, series, shown, x, y) {
    const ts = series.get("ts");
    for (const [name, tone] of [["bid_price", "buy"], ["ask_price", "sell"]]) {
      const values = series.get(name);
      context.beginPath();
      let before = -1;
      for (const [r, next] of shown) {
        const joined = before >= 0 && !series.gaps[r] && before >= r - 1;
        if (joined) context.lineTo(x(ts[r]), y(values[r]));
        else context.moveTo(x(ts[r]), y(values[r]));
        context.lineTo(x(ts[next]), y(values[r]));
        before = next;
      }
      context.lineWidth = 1.6;
      context.strokeStyle = colour(tone);
      context.stroke();
    }
  }

  trades(context, x, y, low, high) {
    const trades = this.view.store.of("trades");
    if (!trades.has("price")) return;
    const first = trades.find(this.view.from);
    const end = trades.find(this.view.now + HAIR);
    // The larger ones: all of them would hide the book.
    const sizes = Array.from(trades.get("size").subarray(first, end)).sort((a, b) => a - b);
    const large = sizes[Math.max(Math.floor(sizes.length * (1 - LARGE)), sizes.length - MOST)] ?? 0;
    for (let r = first; r < end; r += 1) {
      const [at, size] = [trades.get("price")[r], trades.get("size")[r]];
      if (size < large || at < low || at > high) continue;
      context.beginPath();
      context.arc(x(trades.get("ts")[r]), y(at), Math.min(7, 2.5 * Math.sqrt(size / large)), 0, 7);
      for (const [width, tone] of [[3.5, "panel"], [1.6, trades.get("side")[r] > 0 ? "buy" : "sell"]]) {
        context.lineWidth = width;
        context.strokeStyle = colour(tone);
        context.stroke();
      }
    }
  }

  axes(context, plot, low, high, x, y, decimals) {
    context.font = "12px system-ui, sans-serif";
    context.fillStyle = colour("quiet");
    context.strokeStyle = colour("grid");
    context.lineWidth = 1;
    context.textBaseline = "middle";
    context.textAlign = "right";
    const step = nice((high - low) / 6);
    for (let value = Math.ceil(low / step) * step; value < high; value += step) {
      context.fillText(priceText(value, decimals), plot.left - 6, y(value));
      line(context, plot.left, y(value), plot.left + plot.width, y(value));
    }
    context.textBaseline = "top";
    context.textAlign = "center";
    const { from, to } = this.view;
    const every = 1000 * nice((to - from) / 1000 / Math.max(2, plot.width / 110));
    for (let ms = Math.ceil(from / every) * every; ms < to; ms += every) {
      if (x(ms) + LABEL < plot.left + plot.width + RIGHT) context.fillText(time(ms).slice(0, 8), x(ms), plot.top + plot.height + 6);
      line(context, x(ms), plot.top, x(ms), plot.top + plot.height);
    }
  }
}

function line(context, x0, y0, x1, y1) {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}

/** The next of 1, 2, 5, 10, 20 … */
function nice(step) {
  const power = 10 ** Math.floor(Math.log10(step));
  return power * ([1, 2, 5].find((times) => times * power >= step) ?? 10);
}
