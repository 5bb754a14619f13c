"""Points in time as users write them: ISO 8601, UTC unless an offset is given, to the nanosecond."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Self

_FRACTION = re.compile(r"[.,](\d{1,9})(?!\d)", re.ASCII)
_NOT_A_TIME = "is not an ISO 8601 time, such as 2026-01-05T00:00:00Z"


@dataclass(frozen=True)
class Instant:
    """A time in nanoseconds since the Unix epoch, with the text it was written as."""

    text: str
    ns: int

    def __str__(self) -> str:
        return self.text

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read a text, or the date or time that a TOML file holds; a date alone is its midnight.

        Raises:
            ValueError: the value is not a time between 1970 and 2262; the text begins with the value.
        """
        text = value.isoformat() if isinstance(value, date) else value  # a datetime is a date
        if not isinstance(text, str):
            raise ValueError(f"{value!r} {_NOT_A_TIME}")
        # datetime knows microseconds only, and cuts what is finer.
        fraction = _FRACTION.search(text)
        whole = text if fraction is None else text[: fraction.start()] + text[fraction.end() :]
        try:
            time = datetime.fromisoformat(whole)
        except ValueError:
            raise ValueError(f"{text!r} {_NOT_A_TIME}") from None
        if time.microsecond:
            raise ValueError(f"{text!r} {_NOT_A_TIME}, with up to 9 decimals")
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time
        ns = round(time.timestamp()) * 1_000_000_000 + (int(fraction[1].ljust(9, "0")) if fraction else 0)
        if not 0 <= ns < 1 << 63:
            raise ValueError(f"{text!r} is outside 1970 to 2262")
        return cls(text, ns)
