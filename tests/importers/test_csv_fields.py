"""Fields of CSV text: where they stand, and the same numbers as Python's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.importers import csv_fields as csv
from tests.sources.test_decimals import BAD, decimals

NOT_HERE = ("1,5", "00.5")  # a comma ends a field; files of Bybit pad with zeros


@given(st.lists(st.one_of(decimals, st.sampled_from([text for text in BAD if text not in NOT_HERE]))), st.booleans())
def test_column_is_that_of_float(texts: list[str], allow_zero: bool) -> None:
    fields = csv.split_fields("".join(f"x,{text}\n" for text in texts).encode(), 2, [1])
    value, good = csv.decimals(fields, 0, allow_zero)
    for text, number, is_good in zip(texts, value, good, strict=True):
        expected = text not in BAD and float(text) <= 1e15 and (allow_zero or float(text) > 0)
        assert bool(is_good) == expected, text
        if expected:
            assert number == float(text)


lines = st.lists(st.text("ab,\r", max_size=8).filter(lambda line: "\r" not in line[:-1]), max_size=20)


@given(lines, st.integers(1, 5), st.data(), st.booleans())
def test_fields_are_those_of_split(lines: list[str], columns: int, data: st.DataObject, ended: bool) -> None:
    wanted = data.draw(st.lists(st.integers(0, columns - 1), min_size=1, max_size=4))
    fields = csv.split_fields(("\n".join(lines) + ("\n" if ended else "")).encode(), columns, wanted)
    expected = [(n, line.removesuffix("\r")) for n, line in enumerate(lines) if line.removesuffix("\r")]
    assert fields.line.tolist() == [n for n, _ in expected]
    for row, (_, line) in enumerate(expected):
        values = line.split(",")
        assert fields.of_line(row) == line.encode()
        assert bool(fields.torn[row]) == (len(values) != columns)
        for place, column in enumerate(wanted):
            assert fields.of(place, row).decode() == (values[column] if column < len(values) else "")


@pytest.mark.parametrize(("text", "ns"), [
    ("1700000000", 1_700_000_000_000_000_000), ("1700000000.1", 1_700_000_000_100_000_000),
    ("1700000000.123456789", 1_700_000_000_123_456_789), ("1700000000.", -1), ("1700000000.1234567890", -1),
    ("170000000", -1), ("17000000000", -1), ("1700000000,5", 1_700_000_000_000_000_000), ("170000000x", -1),
    ("1700000000.5x", -1), ("-700000000", -1), ("1700000000:5", -1),
])  # fmt: skip
def test_seconds(text: str, ns: int) -> None:
    assert csv.seconds(csv.split_fields(f"{text}\nx".encode(), 1, [0]), 0).tolist() == [ns, -1]


@pytest.mark.parametrize(("text", "number"), [
    ("0", 0), ("12", 12), ("9" * 18, 10**18 - 1), ("9" * 19, -1), ("-1", -1), ("1.0", -1),
])  # fmt: skip
def test_naturals(text: str, number: int) -> None:
    assert csv.naturals(csv.split_fields(f"{text},x".encode(), 2, [1, 0]), 1).tolist() == [number]


def test_words_and_changes() -> None:
    fields = csv.split_fields(b"Buy\nBuy\nSell\nbuy\nBuyx\n", 1, [0])
    assert csv.words(fields, 0, {"Buy": 1, "Sell": -1}, 0).tolist() == [1, 1, -1, 0, 0]
    assert csv.changes(fields, 0).tolist() == [True, False, True, True, True]
    assert np.array_equal(csv.changes(fields.only(np.array([0, 1, 1])), 0), [True, False, False])
