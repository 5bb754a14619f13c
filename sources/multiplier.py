"""Sizes in contracts turned into base currency, exactly.

The size on the tape is the real number ``contracts × multiplier`` rounded once to the nearest double, as if the
exchange had sent the product as a decimal. Two doubles multiplied would be rounded three times.
"""

import re
from collections.abc import Sequence
from decimal import Context, Decimal, Inexact

from sources.tape.bounds import LARGEST

# As many digits as a text of that length may need: then a product is exact, or the trap says that it is not.
_EXACT = Context(prec=120, traps=[Inexact])
_MOST_CHARACTERS = 60
_DIGITS = re.compile(r"[0-9.]+")
_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?")


class Multiplier:
    """How much of the base currency one contract is.

    >>> Multiplier(Decimal("0.01")).sizes(["3", "415", "0"])
    [0.03, 4.15, 0.0]
    >>> Multiplier(Decimal("0.1")).sizes(["3"]), 3 * 0.1
    ([0.3], 0.30000000000000004)
    """

    def __init__(self, value: Decimal) -> None:
        """``value``: units of the base currency a contract.

        Raises:
            ValueError: it is not above 0, not finite, or not of at most 40 digits.
        """
        if not (value.is_finite() and value > 0 and len(value.as_tuple().digits) <= 40):
            raise ValueError(f"a contract multiplier of {value}")
        self.value = _EXACT.normalize(value)
        # Of a power of ten, as nearly all are, the product is the same digits with another exponent.
        exponent = self.value.adjusted()
        self._suffix = f"e{exponent}" if self.value == Decimal(1).scaleb(exponent) else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Multiplier) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)

    def sizes(self, contracts: Sequence[str]) -> list[float]:
        """Sizes in base currency, each rounded once.

        Args:
            contracts: decimals as the exchange sent them.

        Raises:
            ValueError: one is not a decimal, is negative, or its product is above `LARGEST`.
        """
        if not contracts:
            return []
        suffix = self._suffix
        if suffix is not None and _DIGITS.fullmatch("".join(contracts)):
            out = [float(text + suffix) for text in contracts]
        else:
            out = [self._product(text) for text in contracts]
        if max(out) > LARGEST:
            raise ValueError(f"a size of {max(out):g} is above {LARGEST:g}")
        return out

    def _product(self, text: str) -> float:
        if len(text) > _MOST_CHARACTERS or not _DECIMAL.fullmatch(text):
            raise ValueError(f"a size of {text[:_MOST_CHARACTERS]!r}")
        return float(_EXACT.multiply(Decimal(text), self.value))
