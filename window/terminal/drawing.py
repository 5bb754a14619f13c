"""Numbers as bars and lines of a terminal: blocks of eighths, each a column of its own."""

import math
from collections.abc import Sequence

import numpy as np

from sources.tape.batch import Float64s

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LEVELS = "▁▂▃▄▅▆▇█"
_STEPS = len(_LEVELS)
NONE = "–"  # of a number that is not known


def bar(share: float, width: int) -> str:
    """A bar from the left, so long.

    >>> bar(0.5, 4), bar(0.28, 4), bar(7, 3)
    ('██  ', '█▏  ', '███')
    """
    if not math.isfinite(share):
        return " " * width
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    whole, part = divmod(eighths, 8)
    return ("█" * whole + (_EIGHTHS[part] if part else "")).ljust(width)


def around_zero(value: float, most: float, half: int) -> str:
    """A bar to the right of the middle for a positive value, to the left for a negative one.

    >>> around_zero(2, 4, 4), around_zero(-4, 4, 4), around_zero(float("nan"), 4, 4)
    ('    │██  ', '████│    ', '    │    ')
    """
    filled = 0 if not math.isfinite(value) else round(min(abs(value) / most, 1.0) * half)
    mark = "█" * filled
    return f"{(mark if value < 0 else '').rjust(half)}│{(mark if value > 0 else '').ljust(half)}"


def spark(values: Sequence[float] | Float64s, width: int, height: int = 1) -> list[str]:
    """A line of values, newest on the right; a column without one is a gap, and nothing is drawn across it.

    Args:
        values: NaN where there is none.

    Returns:
        ``height`` lines, the upper one first.

    >>> spark([1, 2, float("nan"), 3], 5)
    [' ▁▅ █']
    """
    newest = np.asarray(values, np.float64)[-width:]
    known = newest[np.isfinite(newest)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    top = height * _STEPS - 1
    rows = [[" "] * width for _ in range(height)]
    for column, value in enumerate(newest, width - len(newest)):
        if not math.isfinite(value):
            continue
        at = round((value - low) / (high - low) * top) if high > low else top // 2
        row, step = divmod(at, _STEPS)
        rows[height - 1 - row][column] = _LEVELS[step]
        for below in range(row):
            rows[height - 1 - below][column] = _LEVELS[-1]
    return ["".join(row) for row in rows]


def number(value: float, digits: int = 4) -> str:
    """So many significant digits, without an exponent where it can be read without.

    >>> number(64250.5, 7), number(0.00012), number(float("nan"))
    ('64250.5', '0.00012', '–')
    """
    if not math.isfinite(value):
        return NONE
    if value and not 1e-6 <= abs(value) < 1e12:
        return f"{value:.{digits - 1}e}"
    size = math.floor(math.log10(abs(value))) if value else 0
    text = f"{value:.{max(0, digits - 1 - size)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def decimals(values: Float64s) -> int:
    """Digits behind the point that tell these prices as they are, at most 10.

    >>> decimals(np.array([100.5, 100.25, np.nan]))
    2
    """
    texts = (f"{value:.10f}".rstrip("0") for value in values[np.isfinite(values)])
    return max((len(text.partition(".")[2]) for text in texts), default=0)


def span(seconds: float) -> str:
    """How long, roughly.

    >>> span(0.0123), span(3.21), span(42), span(125), span(7500)
    ('12 ms', '3.2 s', '42 s', '2 m 05 s', '2 h 05 m')
    """
    if not math.isfinite(seconds):
        return NONE
    if abs(seconds) < 1:
        return f"{seconds * 1000:.0f} ms"
    if abs(seconds) < 10:
        return f"{seconds:.1f} s"
    whole = round(abs(seconds))
    sign = "−" if seconds < 0 else ""
    if whole < 100:
        return f"{sign}{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 100:
        return f"{sign}{minutes} m {rest:02} s"
    return f"{sign}{minutes // 60} h {minutes % 60:02} m"
