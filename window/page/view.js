// Which stretch of time the charts show, and what lies in it.

/** ms: less than two rows are apart, more than a time of today can be told by as a double (2e-4). */
export const HAIR = 0.01;

const colours = new Map(); // to ask the document for one may cost a pass over its styles

/** Colours of the style sheet, which follow the reader's light or dark. */
export function colour(name) {
  if (!colours.has(name)) colours.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
  return colours.get(name);
}

/** Forget them: light has become dark. */
export function fade() {
  colours.clear();
}

export class View {
  constructor(store) {
    this.store = store;
    this.span = 60_000;
    this.held = null; // ms at which the right edge stands still; null: it follows
    this.ahead = 0; // ms of room for a forecast
    this.silence = 0; // ms since the newest row, by the engine's clock; the axis goes on while nothing comes
  }

  get features() {
    return this.store.of("features");
  }

  /** The newest time that is shown. */
  get now() {
    if (this.held !== null) return this.held;
    const last = this.features.at("ts");
    return Number.isFinite(last) ? last + this.silence : Date.now();
  }

  get from() {
    return this.now - this.span;
  }

  get to() {
    return this.now + this.ahead;
  }

  /** Rows in view, with one on either side so that lines reach the edges. */
  rows() {
    const series = this.features;
    return [Math.max(0, series.find(this.from) - 1), Math.min(series.length, series.find(this.now + HAIR) + (this.held === null ? 1 : 0))];
  }

  /** The row that is "now": the newest one that is not after the right edge; −1 if there is none. */
  row() {
    return this.features.find(this.now + HAIR) - 1;
  }

  /** Arrays for uPlot: ms, then the columns; null where a line must break. */
  points(names, series = this.features) {
    const [first, end] = series === this.features ? this.rows() : [Math.max(0, series.find(this.from) - 1), series.find(this.now + HAIR)];
    const ts = series.get("ts");
    const columns = names.map((name) => series.get(name));
    const data = [[], ...names.map(() => [])];
    for (let r = first; r < end; r += 1) {
      if (series.gaps[r] && r > first) {
        data[0].push((ts[r - 1] + ts[r]) / 2);
        for (let c = 0; c < columns.length; c += 1) data[c + 1].push(null);
      }
      data[0].push(ts[r]);
      for (let c = 0; c < columns.length; c += 1) {
        const value = columns[c] ? columns[c][r] : NaN;
        data[c + 1].push(Number.isFinite(value) ? value : null);
      }
    }
    return data;
  }

  /** Stretches in view in which a feature has not its whole history: bit `bit` of `warm` is not set. */
  cold(bit) {
    const series = this.features;
    const [ts, warm] = [series.get("ts"), series.get("warm")];
    const [first, end] = this.rows();
    const found = [];
    for (let r = first; r < end && warm; r += 1) {
      if (warm[r] & bit) continue;
      if (found.length && found.at(-1)[2] === r - 1) [found.at(-1)[1], found.at(-1)[2]] = [ts[r], r];
      else found.push([ts[r], ts[r], r]);
    }
    return found;
  }

  /** Stretches in view of which nothing is known: [from, to, why]. */
  holes() {
    const series = this.features;
    const resets = this.store.of("resets");
    const ts = series.get("ts");
    const [first, end] = this.rows();
    const found = [];
    for (let r = Math.max(1, first); r < end; r += 1) {
      if (!series.gaps[r]) continue;
      const reset = resets.find(ts[r - 1] - HAIR);
      const was = reset < resets.length && resets.get("ts")[reset] <= ts[r];
      found.push([ts[r - 1], ts[r], was ? "reset" : "gap"]);
    }
    // A reset after which no row has come yet: the book is unknown up to now.
    const last = resets.at("ts");
    const newest = series.at("ts");
    if (last >= newest && last <= this.now) found.push([newest, this.now, "book unknown"]);
    else if (this.held === null && this.silence > 2000) found.push([newest, this.now, "no data"]);
    return found;
  }
}

/** Hatch the holes, so that nobody takes a gap for a quiet market; `x` maps ms to pixels. */
export function drawHoles(context, holes, x, top, height, ratio) {
  context.save();
  for (const [from, to, why] of holes) {
    const left = x(from);
    const width = Math.max(2 * ratio, x(to) - left);
    context.save();
    context.beginPath();
    context.rect(left, top, width, height);
    context.clip();
    context.globalAlpha = 0.5;
    context.strokeStyle = colour("line");
    context.lineWidth = ratio;
    context.beginPath();
    for (let at = left - height; at < left + width; at += 7 * ratio) {
      context.moveTo(at, top + height);
      context.lineTo(at + height, top);
    }
    context.stroke();
    context.restore();
    context.fillStyle = colour("warn");
    context.font = `${11 * ratio}px system-ui, sans-serif`;
    context.textBaseline = "top";
    context.textAlign = left > 120 * ratio ? "right" : "left";
    context.fillText(why, left > 120 * ratio ? left - 3 * ratio : left + width + 3 * ratio, top + 3 * ratio);
  }
  context.restore();
}
