// Everything by keyboard, and nothing taken from who types or uses a control.

const TYPING = "input, select, textarea";

export function keys({ overview, player }) {
  const help = document.getElementById("help");
  document.getElementById("help-button").addEventListener("click", () => help.showModal());
  const does = {
    j: () => overview.neighbour(1),
    k: () => overview.neighbour(-1),
    "/": () => document.getElementById("filter").focus(),
    "?": () => help.showModal(),
    " ": () => player.toggle(),
    ArrowLeft: (event) => player.step(event.shiftKey ? -10 : -1),
    ArrowRight: (event) => player.step(event.shiftKey ? 10 : 1),
    "[": () => player.span(-1),
    "]": () => player.span(1),
  };
  addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    if (target.matches(TYPING)) {
      if (key === "Escape") target.blur();
      return;
    }
    // On a button the space bar presses it; in a list that scrolls the arrows scroll.
    if (key === " " && target.matches("button")) return;
    if (!does[key]) return;
    event.preventDefault();
    does[key](event);
  });
}
