// Lines over time, by uPlot: one chart a panel, all with the same time axis and cursor.

import { HAIR, colour, drawHoles } from "./view.js";
import { significant, time, write } from "./format.js";
import { Sight } from "./sight.js";

const LEAST = 200; // px of width
const LABEL = 28; // px, half a time below the axis
const AIR = 10; // px on the right of the plot
const AXIS = 66; // px beside the plot, the same in every panel, so that times stand under each other

export class Chart {
  /**
   * lines: [{ name, label, colour, step, width }], values of columns `name`.
   * options: { range: (min, max) => [min, max], below: draw before the lines, above: after, text: value to text,
   *   bit: of `warm`, without which the values are over fewer rows than they should be }
   */
  constructor(element, view, lines, options = {}) {
    this.element = element;
    this.view = view;
    this.lines = lines;
    this.options = options;
    this.text = options.text ?? ((value) => significant(value, 4));
    this.key = element.parentElement.querySelector(".key");
    element.setAttribute("role", "img");
    this.sight = new Sight(element, () => this.series && this.draw(this.series));
    this.make();
  }

  end() {
    this.sight.end();
    this.plot.destroy();
  }

  make() {
    const axis = { stroke: colour("quiet"), grid: { stroke: colour("grid"), width: 1 }, ticks: { stroke: colour("grid") }, font: "12px system-ui, sans-serif" };
    const { options, view } = this;
    this.plot = new uPlot(
      {
        width: Math.max(LEAST, this.sight.width),
        height: this.sight.height || 180,
        ms: 1,
        tzDate: (ms) => uPlot.tzDate(new Date(ms), "Etc/UTC"),
        legend: { show: false },
        cursor: { sync: { key: "time" }, drag: { x: false, y: false }, points: { size: 6 } },
        padding: [6, AIR, 0, 0],
        scales: {
          x: { time: true, range: () => [view.from, view.to] },
          y: { range: (plot, low, high) => padded(low, high, options.range) },
        },
        axes: [
          { ...axis, size: 28, values: (plot, splits) => splits.map((ms) => (this.fits(plot, ms) ? time(ms).slice(0, 8) : "")), space: 90 },
          { ...axis, size: AXIS, values: (plot, splits) => splits.map((value) => (value === null ? "" : this.text(value))) },
        ],
        series: [
          {},
          ...this.lines.map((line) => ({
            label: line.label,
            stroke: colour(line.colour),
            width: line.width ?? 1.5,
            points: { show: false },
            ...(line.step ? { paths: uPlot.paths.stepped({ align: 1 }) } : {}),
          })),
        ],
        hooks: {
          drawClear: [(plot) => options.below?.(plot)],
          draw: [(plot) => this.above(plot)],
          setCursor: [() => this.legend()],
        },
      },
      [[], ...this.lines.map(() => [])],
      this.element,
    );
  }

  /** Whether the text of a time has room before the right edge. */
  fits(plot, ms) {
    return plot.valToPos(ms, "x") + LABEL < plot.bbox.width / devicePixelRatio + AIR;
  }

  /** Pale what is over too few rows, and say so. */
  veil(plot) {
    const { left, top, width, height } = plot.bbox;
    const context = plot.ctx;
    for (const [from, to] of this.view.cold(this.options.bit)) {
      const [begin, end] = [from, to].map((ms) => Math.min(left + width, Math.max(left, plot.valToPos(ms, "x", true))));
      context.globalAlpha = 0.65;
      context.fillStyle = colour("panel");
      context.fillRect(begin, top, end - begin, height);
      context.globalAlpha = 1;
      context.fillStyle = colour("warn");
      context.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
      context.textAlign = "left";
      context.textBaseline = "top";
      context.fillText("warming up", begin + 6 * devicePixelRatio, top + 3 * devicePixelRatio);
    }
  }

  above(plot) {
    const { left, top, width, height } = plot.bbox;
    const x = (ms) => Math.min(left + width, Math.max(left, plot.valToPos(ms, "x", true)));
    drawHoles(plot.ctx, this.view.holes(), x, top, height, devicePixelRatio);
    plot.ctx.save();
    plot.ctx.beginPath();
    plot.ctx.rect(left, top, width, height);
    plot.ctx.clip();
    if (this.options.bit) this.veil(plot);
    this.options.above?.(plot);
    if (plot.data.slice(1).every((values) => values.every((value) => value === null))) {
      plot.ctx.fillStyle = colour("quiet");
      plot.ctx.font = `${13 * devicePixelRatio}px system-ui, sans-serif`;
      plot.ctx.textAlign = "center";
      plot.ctx.fillText("not known yet", left + width / 2, top + height / 2);
    }
    plot.ctx.restore();
  }

  draw(series) {
    this.series = series;
    const { width, height, inSight } = this.sight;
    if (inSight && height && Math.max(LEAST, width) !== this.plot.width) this.plot.setSize({ width: Math.max(LEAST, width), height });
    // What is out of sight has its words kept up, not its picture.
    this.plot.setData(this.view.points(this.lines.map((line) => line.name), series), inSight);
    this.legend();
  }

  /** The values at the cursor, or the newest ones, as coloured words: also what a screen reader is told. */
  legend() {
    if (!this.plot) return;
    const { idx } = this.plot.cursor;
    const at = idx ?? this.plot.data[0].length - 1;
    const cold = this.options.bit && this.view.cold(this.options.bit).some(([from, to]) => from <= this.plot.data[0][at] && this.plot.data[0][at] <= to);
    const words = this.lines.map((line, i) => `${line.label} ${cold ? "…" : this.text(this.plot.data[i + 1][at] ?? NaN)}`);
    this.element.setAttribute("aria-label", `${this.options.title ?? ""}: ${words.join(", ")}`);
    if (!this.key) return;
    while (this.key.children.length < words.length) this.key.append(document.createElement("span"), " ");
    words.forEach((word, i) => {
      const span = this.key.children[i];
      write(span, word);
      span.style.color = `var(--${this.lines[i].colour})`;
    });
  }
}

/** A range with air around it; one value alone still gives an axis. */
function padded(low, high, fixed) {
  if (fixed) return fixed(low, high);
  if (low === null || !Number.isFinite(low)) return [0, 1];
  const air = (high - low) * 0.06 || Math.abs(high) * 1e-5 || 1;
  return [low - air, high + air];
}

/** Room for z-scores: symmetric, at least ±3. */
export function symmetric(low, high) {
  const most = Math.max(3, Math.abs(low ?? 0), Math.abs(high ?? 0)) * 1.05;
  return [-most, most];
}

/** Bands of the fractal dimension: below 1.5 the price trends, above it ranges. */
export function regimeBands(plot) {
  const { left, top, width, height } = plot.bbox;
  const middle = plot.valToPos(1.5, "y", true);
  const ratio = devicePixelRatio;
  const context = plot.ctx;
  context.save();
  context.fillStyle = `rgba(${colour("trend-rgb")}, 0.13)`;
  context.fillRect(left, middle, width, top + height - middle);
  context.font = `${11 * ratio}px system-ui, sans-serif`;
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.fillStyle = colour("trend");
  context.fillText("trending", left + 6 * ratio, top + height - 10 * ratio);
  context.fillStyle = colour("quiet");
  context.fillText("ranging", left + 6 * ratio, top + 12 * ratio);
  context.strokeStyle = colour("quiet");
  context.setLineDash([4 * ratio, 4 * ratio]);
  context.beginPath();
  context.moveTo(left, middle);
  context.lineTo(left + width, middle);
  context.stroke();
  context.restore();
}

/** Own fills: a triangle up where was bought, down where was sold. */
export function drawFills(plot, view) {
  const fills = view.store.of("fills");
  if (!fills.has("price")) return;
  const size = 6 * devicePixelRatio;
  const context = plot.ctx;
  for (let r = fills.find(view.from); r < fills.length && fills.get("ts")[r] <= view.now; r += 1) {
    const side = fills.get("side")[r];
    const x = plot.valToPos(fills.get("ts")[r], "x", true);
    const y = plot.valToPos(fills.get("price")[r], "y", true);
    context.beginPath();
    context.moveTo(x, y - side * size);
    context.lineTo(x - size, y + side * size);
    context.lineTo(x + size, y + side * size);
    context.closePath();
    context.fillStyle = colour(side > 0 ? "buy" : "sell");
    context.strokeStyle = colour("panel");
    context.lineWidth = devicePixelRatio;
    context.fill();
    context.stroke();
  }
}

/** The forecast at the newest row: times, and prices of a quantile by horizon; null if there is none. */
function fan(view) {
  const told = view.store.of("predictions");
  const row = told.find(view.now + HAIR) - 1;
  const start = told.at("ts", row);
  const mid = view.features.at("mid", view.features.find(start + HAIR) - 1); // that of the row it was made at
  if (row < 0 || !Number.isFinite(mid) || view.now - start > 5000) return null;
  const horizons = told.names.filter((name) => name.startsWith("q50_")).map((name) => [name.slice(4), milliseconds(name.slice(4))]);
  horizons.sort((a, b) => a[1] - b[1]);
  return {
    times: [start, ...horizons.map(([, ms]) => start + ms)],
    prices: (prefix) => [mid, ...horizons.map(([name]) => mid * Math.exp(told.at(`${prefix}_${name}`, row)))],
  };
}

/** A range of prices with room for the forecast as far as it is drawn. */
export function withFan(view) {
  return (low, high) => {
    const found = fan(view);
    const inside = (prices) => (found ? prices.filter((_, i) => found.times[i] <= view.to) : []);
    const known = found ? [...inside(found.prices("q05")), ...inside(found.prices("q95"))].filter(Number.isFinite) : [];
    return padded(Math.min(low ?? Infinity, ...known), Math.max(high ?? -Infinity, ...known));
  };
}

/** The forecast at the newest row: quantiles of the return by horizon, as prices; darker is likelier. */
export function drawFan(plot, view) {
  const found = fan(view);
  if (!found) return;
  const x = found.times.map((ms) => plot.valToPos(ms, "x", true));
  const line = (prefix) => found.prices(prefix).map((value) => plot.valToPos(value, "y", true));
  const context = plot.ctx;
  for (const [low, high] of [["q05", "q95"], ["q25", "q75"]]) {
    const [upper, lower] = [line(high), line(low)];
    context.beginPath();
    x.forEach((at, i) => context.lineTo(at, upper[i]));
    [...x].reverse().forEach((at, i) => context.lineTo(at, lower[lower.length - 1 - i]));
    context.closePath();
    context.fillStyle = `rgba(${colour("trend-rgb")}, 0.2)`;
    context.fill();
  }
  context.beginPath();
  line("q50").forEach((y, i) => context.lineTo(x[i], y));
  context.strokeStyle = colour("trend");
  context.lineWidth = 1.5 * devicePixelRatio;
  context.stroke();
}

/** The longest horizon that the forecasts have, ms; 0 without forecasts. */
export function farthest(store) {
  const names = store.schemas.predictions?.columns.filter((name) => name.startsWith("q50_")) ?? [];
  return Math.max(0, ...names.map((name) => milliseconds(name.slice(4))));
}

function milliseconds(text) {
  const [, number, unit] = /^([\d.]+)(ns|us|ms|s|m|h|d)$/.exec(text) ?? [0, 0, "s"];
  return Number(number) * { ns: 1e-6, us: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit];
}
