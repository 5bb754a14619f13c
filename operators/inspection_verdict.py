"""Whether a day of a tape is good, doubtful or bad, by limits on its figures (docs/inspect.md)."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

from operators import inspection_state as of
from operators.inspection_engine import QUANTILES, DayFigures
from sources.tape.batch import TRADE

VERDICTS = GOOD, DOUBTFUL, BAD = ("good", "doubtful", "bad")
_NS = 1e9

Limit = tuple[float, float]  # beyond the first a day is doubtful, beyond the second bad


@dataclass(frozen=True)
class Limits:
    """Beyond which figures a day is doubtful, and beyond which it is bad.

    Attributes:
        coverage: % of the span; below.
        crossed: % of the covered time; above, as all that follow.
        stale: % of the covered time, in stretches.
        far: % of the checked prints.
        against: % of the checked prints.
        negative: % of the latencies.
        latency: s, of the 99 % quantile.
        jumps: number.

    Raises:
        ValueError: a limit is negative or not a number, or the second is not beyond the first; the text begins with
            its name.
    """

    coverage: Limit = (99.9, 95.0)
    crossed: Limit = (0.1, 1.0)
    stale: Limit = (1.0, 10.0)
    far: Limit = (0.1, 1.0)
    against: Limit = (30.0, 60.0)
    negative: Limit = (0.1, 100.0)
    latency: Limit = (1.0, 10.0)
    jumps: Limit = (0.0, 100.0)

    def __post_init__(self) -> None:
        for field in fields(self):
            first, second = getattr(self, field.name)
            if not (first >= 0 and second >= 0) or math.isinf(first + second):
                raise ValueError(f"{field.name}: {first:g},{second:g} are not two numbers of 0 or more")
            if (first < second) if field.name == "coverage" else (first > second):
                order = "falling" if field.name == "coverage" else "rising"
                raise ValueError(f"{field.name}: {first:g},{second:g} is not {order}; doubtful comes first, then bad")


def judged(day: DayFigures, limits: Limits, damage: Sequence[str] = ()) -> tuple[str, list[str]]:
    """The verdict on a day and its reasons, the gravest first.

    Args:
        damage: what is known to be damaged, in words: it makes the day bad.
    """
    found = [(BAD, text) for text in damage]
    missing, unknown = int(day.counts[of.MISSING_ROWS]), int(day.counts[of.UNKNOWN_DELTAS])
    if missing:
        found.append((BAD, f"{missing:,} rows are missing"))
    found += _beyond(day, limits)
    if day.coverage is None:
        found.append((DOUBTFUL, "all rows came at one time"))
    if unknown:
        found.append((DOUBTFUL, f"{unknown:,} delta rows of no known book"))
    if day.rows and not day.counts[TRADE]:
        found.append((DOUBTFUL, "no trade"))
    found.sort(key=lambda one: -VERDICTS.index(one[0]))
    return (found[0][0] if found else GOOD), [text for _, text in found]


def _beyond(day: DayFigures, limits: Limits) -> Iterator[tuple[str, str]]:
    for name, value, unit in _measured(day):
        if value is None:
            continue
        doubtful, bad = getattr(limits, name)
        sign = -1 if name == "coverage" else 1
        for verdict, limit in ((BAD, bad), (DOUBTFUL, doubtful)):
            if sign * value > sign * limit:
                word = "below" if name == "coverage" else "above"
                yield verdict, f"{_WORDS[name]} {_number(value, limit)}{unit}, {word} {limit:g}{unit}"
                break


_WORDS = {
    "coverage": "coverage",
    "crossed": "crossed",
    "stale": "stale",
    "far": "prints far from the quotes",
    "against": "prints against their side",
    "negative": "negative latencies",
    "latency": "latency p99",
    "jumps": "price jumps",
}


def _measured(day: DayFigures) -> Iterator[tuple[str, float | None, str]]:
    samples = int(day.counts[of.SAMPLES])
    p99 = None if day.latency is None else day.latency[QUANTILES.index(0.99)] / _NS
    yield "coverage", _percent(day.coverage), " %"
    yield "crossed", _percent(day.share(of.CROSSED_TIME)), " %"
    yield "stale", _percent(day.share(of.STALE_TIME)), " %"
    yield "far", _percent(day.of_prints(of.FAR_PRINTS)), " %"
    yield "against", _percent(day.of_prints(of.AGAINST_PRINTS)), " %"
    yield "negative", _percent(int(day.counts[of.NEGATIVE]) / samples if samples else None), " %"
    yield "latency", p99, " s"
    yield "jumps", float(day.counts[of.JUMPS]), ""


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _number(value: float, limit: float) -> str:
    """With as many digits as show on which side of the limit it is."""
    for digits in range(3, 17):
        text = f"{value:.{digits}g}"
        if (float(text) > limit) == (value > limit) and (float(text) < limit) == (value < limit):
            return text
    return repr(value)
