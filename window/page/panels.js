// The panels of one instrument: what each shows, and when it is drawn anew.

import { Ladder, Newest, Orders, Scores, label, ruleCells, tradeCells } from "./book.js";
import { Chart, drawFan, drawFills, farthest, regimeBands, symmetric, withFan } from "./charts.js";
import { decimalsOf, price, significant, span, write } from "./format.js";
import { Heat } from "./heat.js";
import { fade } from "./view.js";

const TONES = ["one", "two", "three", "four"];
const WARM = [[2, "z-scores"], [4, "price difference"], [16, "fractal dimension"], [32, "volatility"]];
const DERIVATIVES = [
  ["mark_price", "mark price", "price"], ["index_price", "index price", "price"], ["mark_basis", "basis", "share"],
  ["funding_rate", "funding rate", "share"], ["funding_in", "next funding in", "seconds"], ["open_interest", "open interest, base", ""],
];
const find = (id) => document.getElementById(id);

export class Panels {
  constructor(store, view) {
    this.store = store;
    this.view = view;
    this.hello = { depths: [], windows: [] };
    this.decimals = 2;
    this.ladder = new Ladder(find("ladder"));
    this.heat = new Heat(find("heat"), view);
    this.scores = new Scores(find("zs"));
    this.trades = new Newest(find("trades"), 60, tradeCells(() => this.decimals));
    this.rules = new Newest(find("rules"), 40, ruleCells(() => store.schemas.applied?.words.action ?? []));
    this.orders = new Orders(find("orders"), () => store.schemas.orders?.words.status ?? []);
    find("z-depth").addEventListener("change", () => this.make());
    // Charts are drawn with the colours of the moment.
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      fade();
      this.make();
    });
  }

  begin(hello) {
    this.hello = hello;
    const chosen = find("z-depth");
    chosen.replaceChildren(...hello.depths.map((depth) => new Option(`${depth}`, depth)));
    chosen.value = String(hello.depths[Math.min(1, hello.depths.length - 1)]);
    this.view.ahead = Math.min(farthest(this.store), 30_000);
    this.make();
  }

  make() {
    for (const chart of Object.values(this.charts ?? {})) chart.end();
    const { view } = this;
    const depth = label(Number(find("z-depth").value || 1));
    const priced = (value) => price(value, this.decimals);
    const line = (name, text, tone, more) => ({ name, label: text, colour: tone, ...more });
    this.charts = {
      price: new Chart(find("price"), view, [line("bid_price", "bid", "buy", { step: true }), line("ask_price", "ask", "sell", { step: true })], {
        title: "Price", text: priced, range: withFan(view),
        above: (plot) => {
          drawFan(plot, view);
          drawFills(plot, view);
        },
      }),
      z: new Chart(find("z"), view, this.hello.windows.map((window, i) => line(`ofi_z_${depth}_${window}`, window, TONES[i % 4], { width: 1.2 })), {
        title: "z-scores of order flow", range: symmetric, bit: 2, text: (value) => significant(value, 3),
      }),
      ffd: new Chart(find("ffd"), view, [line("price_ffd", "", "one")], { title: "Price, fractionally differenced", text: (value) => significant(value, 5) }),
      fdi: new Chart(find("fdi"), view, [line("fdi", "", "four")], { title: "Fractal dimension", range: () => [1, 2], below: regimeBands, text: (value) => significant(value, 3) }),
      equity: new Chart(find("equity"), view, [line("equity", "equity, quote currency", "one")], { title: "Equity", text: (value) => significant(value, 6) }),
      position: new Chart(find("position"), view, [line("position", "", "three", { step: true })], { title: "Position", text: (value) => significant(value, 4) }),
    };
    this.draw();
  }

  draw() {
    if (!this.charts) return;
    const { store, view } = this;
    const series = view.features;
    const at = view.row();
    this.measure(series, at);
    this.title(series, at);
    const account = store.of("equity").length > 0;
    find("equity-panel").hidden = find("position-panel").hidden = !account;
    find("orders-panel").hidden = !account;
    find("rules-panel").hidden = store.of("applied").length === 0;
    for (const [name, chart] of Object.entries(this.charts)) {
      const of = name === "equity" || name === "position" ? store.of("equity") : series;
      if (of === series || account) chart.draw(of);
    }
    this.heat.draw(this.decimals, this.tick);
    this.ladder.draw(series, at, this.decimals);
    this.scores.draw(series, at, this.hello.depths, this.hello.windows);
    this.trades.draw(store.of("trades"), view.now);
    this.rules.draw(store.of("applied"), view.now);
    if (account) this.orders.draw(store.of("orders"), view.now, this.decimals);
    this.derivatives(series, at);
  }

  /** The step of prices, from the levels of the newest book. */
  measure(series, at) {
    const prices = [];
    for (let level = 0; level < 20; level += 1) prices.push(series.at(`bid_price_${level}`, at), series.at(`ask_price_${level}`, at));
    prices.push(series.at("bid_price", at), series.at("ask_price", at));
    const known = prices.filter(Number.isFinite).sort((a, b) => a - b);
    if (known.length < 2) return;
    this.decimals = decimalsOf(known);
    this.tick = 10 ** -this.decimals;
    let least = Infinity;
    for (let i = 1; i < known.length; i += 1) if (known[i] - known[i - 1] > this.tick / 2) least = Math.min(least, known[i] - known[i - 1]);
    if (Number.isFinite(least)) this.tick = least;
  }

  title(series, at) {
    const quote = find("quote");
    if (at < 0) {
      quote.textContent = this.store.symbol ? "no row yet" : "";
      find("warm").textContent = "";
      return;
    }
    const word = this.store.schemas.features?.words.regime?.[series.at("regime", at)] ?? "";
    if (quote.childElementCount !== 2) quote.replaceChildren("mid ", document.createElement("b"), " ", document.createElement("span"));
    const [bold, regime] = quote.children;
    write(bold, price(series.at("mid", at), this.decimals + 1));
    write(regime, word && `· ${word}`);
    regime.className = word;
    const warm = series.at("warm", at);
    const cold = WARM.filter(([bit]) => !(warm & bit)).map(([, text]) => text);
    write(find("warm"), cold.length ? `warming up: ${cold.join(", ")}` : "");
  }

  derivatives(series, at) {
    const panel = find("derivatives-panel");
    panel.hidden = !series.has("mark_price");
    if (panel.hidden) return;
    const texts = { price: (v) => price(v, this.decimals), share: (v) => (Number.isFinite(v) ? `${(100 * v).toFixed(4)} %` : "–"), seconds: (v) => span(1000 * v), "": (v) => significant(v, 6) };
    const liquidated = this.hello.windows.map((window) => [`liquidation_${window}`, `liquidated in ${window}, base`, ""]);
    find("derivatives").replaceChildren(...[...DERIVATIVES, ...liquidated].flatMap(([name, title, kind]) => {
      const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
      dt.textContent = title;
      dd.textContent = texts[kind](series.at(name, at));
      return [dt, dd];
    }));
  }
}

