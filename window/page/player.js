// Time: a run follows its newest row until it is paused; a recording is played, and scrubbed.

import { date, time } from "./format.js";

const BEFORE = 300_000; // ms of a recording that are fetched before and after
const AFTER = 600_000;
const NEAR = 60_000; // ms before the end of what is there at which more is fetched

const find = (id) => document.getElementById(id);

export class Player {
  constructor(store, view, link, wake) {
    Object.assign(this, { store, view, link, wake, recorded: false, playing: true, loaded: [0, 0], asking: false });
    find("play").addEventListener("click", () => this.toggle());
    find("span").addEventListener("change", (event) => {
      view.span = 1000 * Number(event.target.value);
      wake();
    });
    find("at").addEventListener("input", (event) => this.seek(Number(event.target.value)));
    requestAnimationFrame((now) => this.frame(now));
  }

  begin(hello) {
    this.recorded = hello.mode === "recorded";
    for (const element of document.querySelectorAll(".recorded")) element.hidden = !this.recorded;
    if (!this.recorded) return;
    const at = find("at");
    [at.min, at.max] = [hello.begin, hello.end];
    if (this.view.held === null) {
      this.view.held = Math.min(hello.end, hello.begin + this.view.span);
      this.playing = false;
    }
    this.label();
  }

  /** Another instrument: the same time of it. */
  open() {
    this.loaded = [0, 0];
    this.fetch();
  }

  toggle() {
    if (this.recorded) this.playing = !this.playing;
    else this.view.held = this.view.held === null ? this.view.now : null;
    this.label();
    this.wake();
  }

  seek(ms) {
    const { view } = this;
    if (this.recorded) {
      const at = find("at");
      view.held = Math.min(Number(at.max), Math.max(Number(at.min), ms));
      this.fetch();
    } else if (Number.isFinite(ms)) {
      view.held = Math.min(ms, view.features.at("ts"));
    }
    this.label();
    this.wake();
  }

  step(seconds) {
    this.seek(this.view.now + 1000 * seconds);
  }

  span(step) {
    const select = find("span");
    select.selectedIndex = Math.min(select.options.length - 1, Math.max(0, select.selectedIndex + step));
    select.dispatchEvent(new Event("change"));
  }

  fetch() {
    const now = this.view.held;
    const [from, to] = this.loaded;
    const there = now - Math.min(this.view.span, BEFORE) >= from && now + NEAR <= to;
    if (!this.recorded || this.asking || there || !this.store.symbol) return;
    this.asking = true;
    this.wanted = [Math.max(Number(find("at").min), now - Math.max(BEFORE, this.view.span)), now + AFTER];
    this.link.send({ do: "stretch", symbol: this.store.symbol, from: this.wanted[0], to: this.wanted[1] });
    clearTimeout(this.patience);
    this.patience = setTimeout(() => (this.asking = false), 20_000);
  }

  arrived(head) {
    if (!head.stretch || !head.last) return;
    this.asking = false;
    const [from, to] = head.stretch;
    // Nothing lies before the beginning or behind the end: it need not be asked for again.
    this.loaded = [from <= Number(find("at").min) ? -Infinity : from, to >= Number(find("at").max) ? Infinity : to];
    if (head.symbol !== this.store.symbol) this.loaded = [0, 0];
    this.fetch();
  }

  frame(now) {
    const passed = Math.min(250, now - (this.before ?? now)); // a tab that slept does not leap
    this.before = now;
    if (this.recorded && this.playing && !this.asking) {
      const at = Number(find("at").max);
      this.view.held = Math.min(at, this.view.held + passed * Number(find("speed").value));
      if (this.view.held === at) this.playing = false;
      this.fetch();
      this.label();
      this.wake();
    }
    requestAnimationFrame((next) => this.frame(next));
  }

  label() {
    const moving = this.recorded ? this.playing : this.view.held === null;
    const play = find("play");
    play.textContent = moving ? "Pause" : this.recorded ? "Play" : "Follow";
    play.setAttribute("aria-pressed", String(!moving));
    if (this.recorded) find("at").value = this.view.held;
    find("clock").textContent = moving && !this.recorded ? "" : `${date(this.view.now)} ${time(this.view.now)} UTC`;
    find("at").setAttribute("aria-valuetext", `${time(this.view.now)} UTC`);
  }
}
