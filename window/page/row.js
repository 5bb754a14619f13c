// One row of the table of all instruments. What has not changed is not written: each write costs a layout of its cell.

export const POINTS = 60; // of a sparkline
const SVG = "http://www.w3.org/2000/svg";
const [WIDE, HIGH] = [56, 20]; // px of a sparkline

export class Row {
  constructor(onChoose) {
    this.element = document.createElement("tr");
    this.element.setAttribute("role", "row"); // the style sheet makes blocks of rows and cells, which takes their meaning
    this.button = document.createElement("button");
    this.button.type = "button";
    const head = document.createElement("th");
    head.scope = "row";
    head.setAttribute("role", "rowheader");
    head.append(this.button);
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${WIDE} ${HIGH}`);
    svg.setAttribute("aria-hidden", "true");
    this.path = document.createElementNS(SVG, "path");
    svg.append(this.path);
    const spark = cell();
    spark.append(svg);
    this.element.append(head, spark);
    this.cells = [];
    this.element.addEventListener("click", () => onChoose(this.button.dataset.name));
  }

  /** Where it stands: the number in the table, px from the top, and how many cells it has. */
  put(place, top, cells) {
    if (this.place !== place) {
      this.place = place;
      if (document.activeElement === this.button) this.button.blur(); // it would be another instrument's
      this.element.style.top = `${top}px`;
      this.element.ariaRowIndex = String(place + 2);
    }
    while (this.cells.length < cells - 2) {
      const node = cell();
      node.append("");
      this.cells.push({ node, text: "", tone: "" });
      this.element.append(node);
    }
    while (this.cells.length > cells - 2) this.cells.pop().node.remove();
  }

  name(name, current) {
    if (this.button.dataset.name !== name) {
      this.button.dataset.name = name;
      const [venue, symbol] = name.split(":");
      const small = document.createElement("small");
      small.textContent = venue;
      this.button.replaceChildren(symbol, " ", small);
      this.button.title = name;
      this.mark = "";
    }
    if (this.current !== current) {
      this.current = current;
      this.element.ariaCurrent = String(current);
    }
  }

  /** Texts and tones of the cells after the sparkline, and its points. */
  fill(texts, { points, second }) {
    texts.forEach(([text, tone], k) => {
      const cell = this.cells[k];
      if (cell.text !== text) cell.node.firstChild.data = cell.text = text;
      if (cell.tone !== tone) cell.node.className = cell.tone = tone;
    });
    if (this.mark !== second) this.path.setAttribute("d", line(points));
    this.mark = second;
  }
}

function cell() {
  const made = document.createElement("td");
  made.setAttribute("role", "cell");
  return made;
}

/** A line through the mids, which begins anew after each gap. */
function line(points) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of points) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  let text = "";
  for (let k = 0; k < points.length; k += 1) {
    if (Number.isNaN(points[k])) continue;
    const y = high > low ? HIGH - 2 - ((points[k] - low) / (high - low)) * (HIGH - 4) : HIGH / 2;
    text += `${k > 0 && !Number.isNaN(points[k - 1]) ? "L" : "M"}${((k * WIDE) / (POINTS - 1)).toFixed(1)},${y.toFixed(1)}`;
  }
  return text;
}
