// Numbers and times as the page writes them. A value that is not known is "–", never NaN.

const NONE = "–";

/** Decimals that tell two neighbouring prices apart: from the smallest step seen, 0 to 8. */
export function decimalsOf(prices) {
  let most = 0;
  for (const price of prices) {
    if (!Number.isFinite(price)) continue;
    const text = price.toFixed(8).replace(/0+$/, "");
    most = Math.max(most, text.length - text.indexOf(".") - 1);
  }
  return Math.min(8, most);
}

export function price(value, decimals) {
  return Number.isFinite(value) ? value.toFixed(decimals) : NONE;
}

/** A size with four significant digits at the most, so that columns stay narrow. */
export function size(value) {
  if (!Number.isFinite(value)) return NONE;
  if (value === 0) return "0";
  const magnitude = Math.abs(value);
  if (magnitude >= 1e6) return `${(value / 1e6).toPrecision(4)}M`;
  if (magnitude >= 1e4) return `${(value / 1e3).toPrecision(4)}k`;
  return magnitude >= 1e3 ? value.toFixed(0) : String(Number(value.toPrecision(4)));
}

export function signed(value, digits = 2) {
  return Number.isFinite(value) ? `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}` : NONE;
}

export function significant(value, digits = 3) {
  if (!Number.isFinite(value)) return NONE;
  const magnitude = Math.abs(value);
  return magnitude !== 0 && (magnitude < 1e-4 || magnitude >= 1e7) ? value.toExponential(digits - 1) : String(Number(value.toPrecision(digits)));
}

/** UTC, with tenths of a second. */
export function time(ms) {
  return Number.isFinite(ms) ? new Date(ms).toISOString().slice(11, 21) : NONE;
}

export function date(ms) {
  return Number.isFinite(ms) ? new Date(ms).toISOString().slice(0, 10) : NONE;
}

/** A length of time in the unit that suits it. */
export function span(ms) {
  if (!Number.isFinite(ms)) return NONE;
  const sign = ms < 0 ? "−" : "";
  const length = Math.abs(ms);
  if (length < 1000) return `${sign}${length.toFixed(0)} ms`;
  if (length < 60_000) return `${sign}${(length / 1000).toFixed(1)} s`;
  if (length < 3_600_000) return `${sign}${(length / 60_000).toFixed(0)} min`;
  return `${sign}${(length / 3_600_000).toFixed(1)} h`;
}

/** Text of an element, if it is another: each write costs a layout. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
