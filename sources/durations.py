"""Durations as users write them: a count and a unit, kept with their text because columns are named after it."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Self

NS_PER_UNIT = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
# A century: longer ones serve nobody, and a time plus a duration has to stay inside 64 bits.
LONGEST_NS = 36_500 * NS_PER_UNIT["d"]

_SHOWN = 80  # characters of what is none
_FORM = re.compile(r"([0-9]{1,24}(?:\.[0-9]{1,24})?)(ns|us|ms|s|m|h|d)", re.ASCII)  # all digits of a Decimal


@dataclass(frozen=True)
class Duration:
    """A length of time: nanoseconds for computing, the configured text for names."""

    text: str
    ns: int

    def __str__(self) -> str:
        return self.text

    @classmethod
    def parse(cls, text: object) -> Self:
        """Read ``100ms``, ``1.5s``, ``1h``; positive, and a whole number of nanoseconds.

        Raises:
            ValueError: the value has another form or is out of range; the text begins with the value.
        """
        form = _FORM.fullmatch(text) if isinstance(text, str) else None
        if form is None or not isinstance(text, str):
            shown = repr(text)[:_SHOWN]
            raise ValueError(
                f"{shown} is not a duration: a count and a unit of {', '.join(NS_PER_UNIT)}, such as 100ms"
            )
        ns = Decimal(form[1]) * NS_PER_UNIT[form[2]]
        if ns != int(ns):
            raise ValueError(f"{text!r} is no whole number of nanoseconds")
        if not 0 < ns <= LONGEST_NS:
            raise ValueError(f"{text!r} is not a duration above 0 and up to 36500d")
        return cls(text, int(ns))

    @classmethod
    def parse_or_zero(cls, text: object) -> Self:
        """As `parse`; ``0`` of any unit, and alone, is none at all."""
        if isinstance(text, str) and re.fullmatch(r"0(ns|us|ms|s|m|h|d)?", text):
            return cls(text, 0)
        return cls.parse(text)
