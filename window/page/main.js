// The page: the link's words become rows, state and pictures.

import { keys } from "./keys.js";
import { Link } from "./link.js";
import { Overview } from "./overview.js";
import { Panels } from "./panels.js";
import { Player } from "./player.js";
import { Store } from "./store.js";
import { Status } from "./status.js";
import { View } from "./view.js";

const EVERY = 100; // ms between two pictures: numbers that change faster are not read
const TABLE = 250;

const find = (id) => document.getElementById(id);
const store = new Store();
const view = new View(store);
const status = new Status();
const link = new Link();
const overview = new Overview(find("rows"), (name) => (location.hash = encodeURIComponent(name)));
const panels = new Panels(store, view);
const player = new Player(store, view, link, () => wake());
let run = "";
let mode = "";

function choose() {
  const name = decodeURIComponent(location.hash.slice(1));
  const known = overview.names.includes(name);
  if (!name || !known) {
    overview.current = "";
    if (name && overview.names.length) unknown(name);
    else if (overview.names.length) location.replace(`#${encodeURIComponent(overview.names[overview.order[0] ?? 0])}`);
    return;
  }
  overview.current = name;
  document.body.classList.remove("unknown");
  find("name").textContent = name;
  document.title = `${name} · tickwax`;
  store.watch(name);
  find("quality").textContent = "";
  if (mode === "recorded") player.open();
  else link.send({ do: "watch", symbol: name });
  overview.draw();
  wake();
}

function unknown(name) {
  document.body.classList.add("unknown"); // panels without an instrument would promise data
  find("name").textContent = `No instrument “${name}”`;
  find("quote").textContent = "it is none of this run; choose one from the table";
  store.watch("");
  wake();
}

link.addEventListener("hello", ({ detail }) => {
  if (run && run !== detail.run) status.notice("another run answers now: what came before it ends in a gap");
  const same = run === detail.run;
  run = detail.run;
  mode = detail.mode;
  status.began(detail);
  store.schema(detail.schemas);
  overview.still = mode === "recorded";
  overview.verdicts = detail.verdicts ?? [];
  overview.pending = detail.schemas.trades ? "…" : "–"; // without a tape there is nothing to inspect
  overview.schema(detail.overview);
  if (!same) panels.begin(detail);
  player.begin(detail);
});
link.addEventListener("instruments", ({ detail }) => {
  overview.add(detail.first, detail.names);
  find("shown").textContent = `${overview.names.length} in all`;
  // Most often the first list after a connection; later ones bring what was listed meanwhile.
  if (overview.current !== decodeURIComponent(location.hash.slice(1)) || detail.first === 0) choose();
});
link.addEventListener("sparks", ({ detail }) => overview.history(detail.head.first, detail.columns));
link.addEventListener("overview", ({ detail }) => detail.columns.length && overview.take(detail.columns));
link.addEventListener("rows", ({ detail }) => {
  if (detail.head.gone > 0) status.notice(`${detail.head.gone} rows were skipped: this browser is too slow for them`);
  store.take(detail);
  if (detail.head.reasons) find("quality").textContent = detail.head.reasons.join("; ");
  player.arrived(detail.head);
  wake();
});
link.addEventListener("beat", ({ detail }) => {
  overview.ahead = detail.now - Date.now();
  status.beat(detail);
  // The axis goes on by the engine's clock while nothing comes; only where that clock is not the market's past.
  const newest = view.features.at("receive_ts");
  view.silence = ["live", "paper", "attached"].includes(mode) ? Math.max(0, detail.now - newest - 1000) || 0 : 0;
});
link.addEventListener("unknown", ({ detail }) => unknown(detail.symbol));
link.addEventListener("refused", ({ detail }) => status.notice(detail.why));
link.addEventListener("lost", ({ detail }) => status.lost(detail));
store.addEventListener("clock", ({ detail }) => status.clock(detail));
addEventListener("hashchange", choose);
addEventListener("resize", () => wake());
find("filter").addEventListener("input", (event) => overview.search(event.target.value));
keys({ overview, player });

let drawn = 0;
let asked = false;

/** Draw soon, and not more often than can be read. */
function wake() {
  if (asked) return;
  asked = true;
  setTimeout(() => requestAnimationFrame(() => {
    asked = false;
    drawn = performance.now();
    panels.draw();
  }), Math.max(0, EVERY - (performance.now() - drawn)));
}

setInterval(() => {
  if (overview.sorted.column === "name") overview.draw();
  else overview.arrange();
  if (view.silence > 0) wake();
}, TABLE);

// For the console, and for tests that ask what is drawn.
window.tickwax = { store, view, overview, panels, player, link };
