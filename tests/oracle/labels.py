"""Labels of the rows of one segment (docs/learning.md, 1): every row compared with every other."""

import math
from dataclasses import dataclass

KEPT, COLD, FLAT, NO_PRICE, CUT = "kept", "cold", "flat", "no price", "cut"


@dataclass(frozen=True)
class Row:
    """A feature row."""

    ts: int
    mid: float
    bid: float
    ask: float
    volatility: float
    is_warm: bool = True


@dataclass(frozen=True)
class Rules:
    """What labels are computed with, times in ns."""

    horizons: tuple[int, ...]
    latency: int
    barrier: int
    width: float
    executable: bool
    step: int  # of the grid; 0: rows are updates


@dataclass(frozen=True)
class Label:
    """A label as it is once everything up to its end has been seen."""

    why: str
    returns: tuple[float, ...] = ()
    barrier: int = 0
    barrier_end: int = 0
    end: int = 0
    weight: float = 0.0


def log(price: float) -> float:
    return math.log(price) if price > 0 else math.nan


def row_at(rows: list[Row], t: int) -> Row:
    """The last row whose time is not after `t`."""
    return [row for row in rows if row.ts <= t][-1]


def prices(row: Row, rules: Rules) -> tuple[float, float]:
    """Logarithms of the prices at which one buys and sells."""
    return (log(row.ask), log(row.bid)) if rules.executable else (log(row.mid), log(row.mid))


def width(rows: list[Row], i: int, rules: Rules) -> float:
    """Of the horizontal barriers of row `i`; NaN where its number of rows is not known."""
    row = rows[i]
    if rules.step:
        count = rules.barrier // rules.step
    elif row.ts - rows[0].ts < rules.barrier:
        return math.nan
    else:
        count = sum(row.ts - rules.barrier < past.ts for past in rows[: i + 1])
    return rules.width * row.volatility * math.sqrt(count)


def why_not(rows: list[Row], i: int, rules: Rules) -> str:
    """Why no label begins at row `i`; `KEPT` if one does."""
    row = rows[i]
    if not row.is_warm:
        return COLD
    if not all(math.isfinite(x) for x in (log(row.mid), *prices(row, rules))):
        return NO_PRICE
    wide = width(rows, i, rules)
    return KEPT if 0 < wide < math.inf else FLAT


def first_touch(rows: list[Row], i: int, rules: Rules) -> tuple[int, int]:
    """Side and time of the first barrier that the label of row `i` touches; side 0 at the vertical one."""
    t, wide = rows[i].ts, width(rows, i, rules)
    bought, sold = prices(row_at(rows, t + rules.latency), rules)
    for row in rows:
        if t + rules.latency < row.ts <= t + rules.barrier:
            buys, sells = prices(row, rules)
            if sells - bought >= wide:
                return 1, row.ts
            if buys - sold <= -wide:
                return -1, row.ts
    return 0, t + rules.barrier


def labels(rows: list[Row], rules: Rules, known: int) -> list[Label]:
    """Of every row of a segment, with all rows up to the time `known`."""
    begun = {i: why_not(rows, i, rules) for i in range(len(rows))}
    touched = {i: first_touch(rows, i, rules) for i, why in begun.items() if why == KEPT}
    spans = [(rows[i].ts, end) for i, (_, end) in touched.items()]
    out = []
    for i, row in enumerate(rows):
        if begun[i] != KEPT:
            out.append(Label(begun[i]))
            continue
        side, barrier_end = touched[i]
        end = max(barrier_end, *(row.ts + h for h in rules.horizons))
        start = row_at(rows, row.ts + rules.latency)
        returns = tuple(log(row_at(rows, row.ts + h).mid) - log(start.mid) for h in rules.horizons)
        if end > known:
            out.append(Label(CUT))
        elif not all(math.isfinite(x) for x in (*returns, *prices(start, rules))):
            out.append(Label(NO_PRICE))
        else:
            covered = [r.ts for r in rows if row.ts <= r.ts <= barrier_end]
            unique = [1 / sum(a <= t <= b for a, b in spans) for t in covered]
            out.append(Label(KEPT, returns, side, barrier_end, end, math.fsum(unique) / len(unique)))
    return out
