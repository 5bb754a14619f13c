"""Decimals from text: the same doubles as float(), and only what may be a price or a size."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.decimals import parse_levels
from sources.tape.collected import Levels

plain = st.from_regex(r"(0|[1-9][0-9]{0,14})(\.[0-9]{1,20})?", fullmatch=True)
scientific = st.from_regex(r"(0|[1-9][0-9]{0,3})(\.[0-9]{1,8})?[eE][+-]?[0-9]{1,2}", fullmatch=True)
decimals = st.one_of(plain, scientific, st.floats(min_value=1e-30, max_value=1e15).map(repr))


def levels(bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> Levels | str:
    return parse_levels([msgspec.Raw(msgspec.json.encode(bids)), msgspec.Raw(msgspec.json.encode(asks))])[0]


@given(st.lists(st.tuples(decimals, decimals)), st.lists(st.tuples(decimals, decimals)))
def test_levels_are_those_of_float(bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> None:
    expected = np.array([(float(p), float(q)) for p, q in bids + asks]).reshape(-1, 2)
    parsed = levels(bids, asks)
    if (expected[:, 0] <= 0).any() or (expected > 1e15).any():
        assert isinstance(parsed, str)
    else:
        assert isinstance(parsed, Levels)
        assert parsed.price.tobytes() == expected[:, 0].tobytes()
        assert parsed.size.tobytes() == expected[:, 1].tobytes()
        assert parsed.side.tolist() == [1] * len(bids) + [-1] * len(asks)


BAD = ["nan", "NaN", "inf", "-inf", "Infinity", "-1", "0x10", "1_0", "", " 1", "1 ", "+1", ".5", "5.", "1e", "1e400",
       "1,5", "00.5", "1.2.3", "1e16", "1000000000000001", "--1", "１"]  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_bad_number_is_bad_in_price_and_size(text: str) -> None:
    assert isinstance(levels([(text, "1")], []), str)
    assert isinstance(levels([], [("1", text)]), str)


def test_price_zero_is_bad_and_size_zero_is_not() -> None:
    assert isinstance(levels([("0.00", "1")], []), str)
    parsed = levels([("1.9e-07", "0.000")], [])
    assert isinstance(parsed, Levels)
    assert (parsed.price[0], parsed.size[0]) == (1.9e-07, 0.0)


SHAPES = [b'[["1"]]', b"[[]]", b'["1","2"]', b"{}", b"null", b'[["1","2","3"]]', b'"x"', b"[[" * 5000 + b"]]" * 5000]


@pytest.mark.parametrize("raw", SHAPES)
def test_another_shape_is_bad(raw: bytes) -> None:
    assert isinstance(parse_levels([msgspec.Raw(raw), msgspec.Raw(b"[]")])[0], str)


def test_a_bad_message_leaves_its_neighbours() -> None:
    sides = [b'[["1","2"]]', b"[]", b'[["1","2"]]', b'[["x","2"]]', b"[]", b'[ ["3", "4"], ["5", "6"] ]', b"[]", b"[]"]
    first, second, third, fourth = parse_levels([msgspec.Raw(side) for side in sides])
    assert isinstance(second, str)
    assert isinstance(first, Levels)
    assert isinstance(third, Levels)
    assert isinstance(fourth, Levels)
    assert first.price.tolist() == [1.0]
    assert third.price.tolist() == [3.0, 5.0]
    assert third.size.tolist() == [4.0, 6.0]
    assert fourth.price.tolist() == []
