"""A rule: what must hold of the feature columns, and what then becomes of new positions (docs/reflecting.md, 1).

A rule is data: it is read from JSON, printed in a line of plain words, and evaluated by the kernels of
`operators.rules.table`. Nothing of it is ever run.
"""

import hashlib
import json
import math
from collections.abc import Collection
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from sources.errors import TickwaxError

MOST_COMPARISONS = 3
OPERATORS = ("<", "<=", ">", ">=")
_MOST_RATIONALE = 400  # signs
_MOST_TEXT = 16_384  # bytes of a rule as JSON


class Comparison(BaseModel):
    """A column held against a number. It does not hold where the column is not known (NaN)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    column: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_.]{0,63}$")
    op: Literal["<", "<=", ">", ">="]
    value: float

    @field_validator("value", mode="before")
    @classmethod
    def _a_number(cls, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"{value!r} is not a finite number")
        return float(value)

    def __str__(self) -> str:
        return f"{self.column} {self.op} {self.value:.6g}"


class Rule(BaseModel):
    """New positions are vetoed, or made smaller, while all comparisons hold.

    Attributes:
        when: one to three comparisons; all must hold.
        action: ``veto``, or ``scale``.
        scale: share of a new position's size that is left; 0 of a veto.
        instrument: ``venue:SYMBOL`` that it is for; empty: any.
        rationale: why, in words; nothing depends on them.

    >>> rule = parse_rule('{"when": [{"column": "spread", "op": ">", "value": 0.3}], "action": "veto"}', ["spread"])
    >>> print(rule.words)
    when spread > 0.3: no new position
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    when: tuple[Comparison, ...] = Field(min_length=1, max_length=MOST_COMPARISONS, strict=False)
    action: Literal["veto", "scale"]
    scale: float = Field(default=0.0, ge=0.0, le=1.0, strict=False)
    instrument: str = Field(default="", max_length=128)
    rationale: str = Field(default="", max_length=_MOST_RATIONALE)

    @field_validator("rationale")
    @classmethod
    def _readable(cls, text: str) -> str:
        """What is printed has no control signs: a reply may hold a terminal's."""
        return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())

    @field_validator("instrument")
    @classmethod
    def _plain(cls, text: str) -> str:
        if text and (not text.isprintable() or ":" not in text or " " in text):
            raise ValueError(f"{text[:40]!r} is not venue:SYMBOL")
        return text

    @model_validator(mode="after")
    def _can_hold(self) -> "Rule":
        if self.action == "veto" and self.scale != 0.0:
            raise ValueError(f"scale: {self.scale:g} does not go with a veto, which leaves nothing")
        if self.action == "scale" and not 0.0 < self.scale < 1.0:
            raise ValueError(f"scale: {self.scale:g} is not between 0 and 1; what leaves nothing is a veto")
        for column in sorted({c.column for c in self.when}):
            low, strict_low, high, strict_high = -math.inf, False, math.inf, False
            for c in (each for each in self.when if each.column == column):
                if c.op[0] == ">" and c.value >= low:
                    low, strict_low = c.value, c.op == ">" or (strict_low and c.value == low)
                if c.op[0] == "<" and c.value <= high:
                    high, strict_high = c.value, c.op == "<" or (strict_high and c.value == high)
            if low > high or (low == high and (strict_low or strict_high)):
                raise ValueError(f"when: no {column} is above {low:g} and below {high:g}")
        return self

    @property
    def identity(self) -> str:
        """Of what the rule does, 16 hexadecimal digits: the order of comparisons and the rationale do not count."""
        when = sorted((c.column, c.op, c.value.hex()) for c in self.when)
        said = json.dumps([when, self.action, self.scale.hex(), self.instrument])
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    @property
    def words(self) -> str:
        """The rule in a line."""
        where = f" ({self.instrument} alone)" if self.instrument else ""
        does = "no new position" if self.action == "veto" else f"new positions at {self.scale:.6g} of their size"
        return f"when {' and '.join(map(str, self.when))}: {does}{where}"


def parse_rule(said: str | bytes | dict[str, Any], columns: Collection[str] | None = None, key: str = "rule") -> Rule:
    """Read a rule.

    Args:
        said: JSON, or what it was.
        columns: that rules may compare; None: any name.
        key: what an error begins with.

    Raises:
        TickwaxError: it is none, or compares a column that there is not; one line.
    """
    if isinstance(said, str | bytes):
        if len(said) > _MOST_TEXT:
            raise TickwaxError(f"{key}: {len(said):,} bytes; a rule has at most {_MOST_TEXT:,}")
        try:
            said = json.loads(said)
        except (ValueError, RecursionError) as e:
            raise TickwaxError(f"{key}: not JSON: {_line(str(e))}") from None
    try:
        rule = Rule.model_validate(said)
    except ValidationError as e:
        first = min(e.errors(include_url=False), key=lambda error: error["type"] != "extra_forbidden")
        where = ".".join(str(part) for part in first["loc"])
        what = str(first["ctx"]["error"]) if first["type"] == "value_error" else _expected(first)
        raise TickwaxError(_line(f"{key}{'.' if where else ''}{where}: {what}")) from None
    if columns is not None:
        for n, comparison in enumerate(rule.when):
            if comparison.column not in columns:
                raise TickwaxError(f"{key}.when.{n}.column: {comparison.column!r} is no column of numbers here")
    return rule


def _expected(error: Any) -> str:
    if error["type"] == "missing":
        return "is missing"
    if error["type"] == "extra_forbidden":
        return "unknown key; a rule has when, action, scale, instrument and rationale"
    return f"{repr(error['input'])[:60]}: {error['msg']}"


def _line(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text)[:240]
