// Rows of the instrument that is looked at, in columns; rows never come without their gaps.

const MOST = 20_000; // feature rows that are kept; half of them go at once, so that copying is rare
const MOST_EVENTS = 200_000;

export class Series {
  constructor(names, most) {
    this.names = names;
    this.most = most;
    this.clear();
  }

  clear() {
    this.length = 0;
    this.columns = new Map(this.names.map((name) => [name, new Float64Array(1024)]));
    this.gaps = new Uint8Array(1024); // 1: no line from the row before to this one
  }

  /** Take rows; `broken`: the first of them does not follow the last one here. */
  append(columns, broken) {
    const rows = columns[0].length;
    this.reserve(this.length + rows);
    const restart = this.names.indexOf("since_restart");
    this.names.forEach((name, i) => this.columns.get(name).set(columns[i], this.length));
    for (let r = 0; r < rows; r += 1) {
      this.gaps[this.length + r] = (r === 0 && broken) || (restart >= 0 && columns[restart][r] === 0) ? 1 : 0;
    }
    this.length += rows;
    if (this.length > this.most) this.drop(this.length - this.most / 2);
  }

  /** Forget the first rows. */
  drop(rows) {
    for (const column of this.columns.values()) column.copyWithin(0, rows, this.length);
    this.gaps.copyWithin(0, rows, this.length);
    this.length -= rows;
  }

  get(name) {
    return this.columns.get(name);
  }

  has(name) {
    return this.columns.has(name);
  }

  at(name, row = this.length - 1) {
    const column = this.columns.get(name);
    return column && row >= 0 ? column[row] : NaN;
  }

  /** The first row at `time` or later; rows are in the order of `ts`. */
  find(time) {
    const ts = this.columns.get("ts");
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ts[middle] < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  reserve(rows) {
    if (rows <= this.gaps.length) return;
    const room = Math.max(rows, 2 * this.gaps.length);
    for (const [name, column] of this.columns) {
      const wider = new Float64Array(room);
      wider.set(column.subarray(0, this.length));
      this.columns.set(name, wider);
    }
    const gaps = new Uint8Array(room);
    gaps.set(this.gaps.subarray(0, this.length));
    this.gaps = gaps;
  }
}

export class Store extends EventTarget {
  constructor() {
    super();
    this.schemas = {};
    this.symbol = "";
    this.series = new Map();
    this.broken = false;
  }

  /** Another engine may have other columns; what is kept of the same ones stays, behind a gap. */
  schema(schemas) {
    if (JSON.stringify(schemas) !== JSON.stringify(this.schemas)) this.series.clear();
    this.schemas = schemas;
    this.resume();
  }

  watch(symbol) {
    if (symbol !== this.symbol) this.series.clear();
    this.symbol = symbol;
    this.resume();
  }

  /** What is kept of the instrument is about to be sent: features are joined, the rest begins anew. */
  resume() {
    this.broken = true;
    for (const name of [...this.series.keys()]) if (name !== "features") this.series.delete(name);
  }

  of(name) {
    if (!this.series.has(name)) {
      this.series.set(name, new Series(this.schemas[name]?.columns ?? ["ts"], name === "features" ? MOST : MOST_EVENTS));
    }
    return this.series.get(name);
  }

  /** Take a frame of rows; a step of the clock is told of as an event. */
  take({ head, columns }) {
    if (head.symbol !== this.symbol) return;
    const series = this.of(head.of);
    if (head.stretch) series.clear(); // it comes in place of what is here
    if (!columns.length) return;
    if (head.of !== "features") {
      series.append(columns, false);
      return;
    }
    const known = this.broken ? this.known(series, columns) : 0;
    let broken = head.gone > 0 || (this.broken && !known);
    this.broken = false;
    if (known === columns[0].length) return;
    if (known) columns = columns.map((column) => column.subarray(known));
    const step = columns[0][0] - series.at("ts");
    if (step < 0) {
      series.clear(); // an axis cannot run backwards
      broken = false;
    }
    series.append(columns, broken);
    if (step < 0 || step > 60_000) this.dispatchEvent(new CustomEvent("clock", { detail: step }));
  }

  /** After a new connection the engine sends what it keeps: how many of the rows are here already. */
  known(series, columns) {
    const [ts, ordinal] = [columns[0], columns[series.names.indexOf("ordinal")]];
    for (let r = ts.length - 1; r >= 0; r -= 1) {
      if (ts[r] === series.at("ts") && ordinal[r] === series.at("ordinal")) return r + 1;
    }
    return 0;
  }
}
