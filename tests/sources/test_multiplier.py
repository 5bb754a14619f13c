"""Sizes in contracts: the product is rounded once, whatever the multiplier."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.multiplier import Multiplier

DIGITS = st.text("0123456789", min_size=1, max_size=9)
CONTRACTS = st.builds(lambda whole, part: f"{int(whole)}.{part}", DIGITS, DIGITS) | DIGITS.map(lambda t: str(int(t)))
POWERS = st.integers(-9, 5).map(lambda e: Decimal(1).scaleb(e))
OTHERS = st.builds(lambda m, e: Decimal(m).scaleb(e), st.integers(1, 9999), st.integers(-8, 1))


@given(st.lists(CONTRACTS, max_size=5), POWERS | OTHERS)
def test_sizes_are_the_real_product_rounded_once(contracts: list[str], value: Decimal) -> None:
    # A fraction holds the product as it is, and Python divides whole numbers of any length with one rounding.
    expected = [float(Fraction(text) * Fraction(value)) for text in contracts]
    assert Multiplier(value).sizes(contracts) == expected


def test_product_of_two_doubles_would_be_another_number() -> None:
    assert Multiplier(Decimal("0.1")).sizes(["3"]) == [0.3] != [3 * 0.1]


def test_scientific_notation() -> None:
    assert Multiplier(Decimal("0.01")).sizes(["19e-1", "1E2", "7"]) == [0.019, 1.0, 0.07]


@pytest.mark.parametrize("text", ["", ".", " 1", "1_0", "nan", "inf", "-1", "+1", "1.2.3", "٣", "1e999", "1e17", "0x1"])
def test_what_is_no_size_is_refused(text: str) -> None:
    for value in ("100", "0.07"):
        with pytest.raises(ValueError):  # noqa: PT011  (float names some, the class others)
            Multiplier(Decimal(value)).sizes(["1", text])


@pytest.mark.parametrize("text", ["0", "-1", "NaN", "Infinity", "1." + 60 * "1"])
def test_what_is_no_multiplier_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="multiplier"):
        Multiplier(Decimal(text))


def test_multipliers_are_compared_by_value() -> None:
    assert Multiplier(Decimal("0.10")) == Multiplier(Decimal("0.1"))
    assert Multiplier(Decimal("0.1")) != Multiplier(Decimal("0.01"))
