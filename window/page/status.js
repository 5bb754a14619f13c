// Is what I see true now? Said in words: live, silent, lost, restarted, skipped.

import { span, time } from "./format.js";

const SILENT = 3; // seconds without anything from the market
const MODES = { live: "live", paper: "paper trading", replay: "replay", recorded: "recorded", attached: "attached to a recorder" };

export class Status {
  constructor() {
    this.state = document.getElementById("state");
    this.facts = document.getElementById("facts");
    this.notices = document.getElementById("notices");
    this.skipped = 0;
  }

  began(hello) {
    this.mode = hello.mode;
    this.speed = hello.speed;
    this.show("wait", this.mode === "recorded" ? "recorded" : "connected, waiting for the market");
    if (this.mode === "recorded") this.show("live", "recorded");
  }

  beat({ quiet, skipped, source }) {
    if (skipped > this.skipped && this.skipped === 0) this.notice("this browser is slow: frames are skipped, the run is not held up");
    this.skipped = skipped;
    this.facts.textContent = skipped ? `${skipped} frames skipped` : "";
    if (this.mode === "recorded") return;
    const at = this.mode === "replay" ? ` × ${this.speed}` : "";
    if (source) this.show("wait", `${MODES[this.mode]}: ${source}`);
    else if (quiet > SILENT) this.show("wait", `${MODES[this.mode]}${at}: silent for ${span(1000 * Math.floor(quiet))}`);
    else this.show("live", `${MODES[this.mode]}${at}`);
  }

  lost({ reason, attempts }) {
    if (attempts === 1) this.since = Date.now();
    const ago = span(1000 * Math.floor((Date.now() - this.since) / 1000));
    this.skipped = 0;
    if (reason) this.ended = reason;
    const why = this.ended && attempts > 1 ? this.ended : reason || "no connection to the run";
    this.show("lost", `${why}; trying again (${attempts}), for ${ago}`);
  }

  clock(step) {
    this.notice(step < 0 ? `the clock stepped back by ${span(-step)}: the charts begin anew` : `the clock jumped ahead by ${span(step)}: drawn as a gap`);
  }

  notice(text) {
    const line = document.createElement("p");
    line.textContent = `${time(Date.now()).slice(0, 8)} ${text}`;
    if (this.notices.firstChild?.textContent.slice(9) === text) this.notices.firstChild.remove(); // the same again
    this.notices.prepend(line);
    while (this.notices.children.length > 30) this.notices.lastChild.remove();
    this.notices.hidden = false;
  }

  show(state, text) {
    if (state !== "lost") this.ended = "";
    this.state.dataset.state = state;
    if (this.state.textContent !== text) this.state.textContent = text;
  }
}
