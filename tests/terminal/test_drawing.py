"""Bars and lines of blocks: as long as they ought to be, and of the width that was asked for, whatever the number."""

import doctest
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from window.terminal import drawing, warming
from window.terminal.drawing import around_zero, bar, number, spark

floats = st.floats(allow_nan=True, allow_infinity=True)
_EIGHTH = {sign: n for n, sign in enumerate(" ▏▎▍▌▋▊▉█")}


@pytest.mark.parametrize("module", [drawing, warming])
def test_the_examples(module) -> None:
    assert doctest.testmod(module).failed == 0


@given(floats, st.integers(1, 40))
def test_a_bar_is_its_share_to_an_eighth_of_a_column(share: float, width: int) -> None:
    drawn = bar(share, width)
    assert cell_len(drawn) == width
    eighths = sum(_EIGHTH[sign] for sign in drawn)
    wanted = 8 * width * min(max(share, 0.0), 1.0) if math.isfinite(share) else 0
    assert abs(eighths - wanted) <= 0.5


@given(floats, st.integers(1, 20))
def test_a_bar_around_zero_is_on_the_side_of_its_sign(value: float, half: int) -> None:
    left, right = around_zero(value, 4.0, half).split("│")
    assert len(left) == len(right) == half
    assert left.count("█") == (round(min(-value / 4, 1) * half) if -math.inf < value < 0 else 0)
    assert right.count("█") == (round(min(value / 4, 1) * half) if 0 < value < math.inf else 0)


@given(st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(math.nan)), max_size=60), st.integers(1, 50), st.integers(1, 4))
def test_a_line_has_a_gap_where_there_is_no_value(values: list[float], width: int, height: int) -> None:
    lines = spark(values, width, height)
    assert [len(line) for line in lines] == [width] * height
    newest = values[-width:]
    drawn = [any(line[width - len(newest) + i] != " " for line in lines) for i in range(len(newest))]
    assert drawn == [math.isfinite(value) for value in newest]
    assert all(line[: width - len(newest)].strip() == "" for line in lines)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40, unique=True))
def test_a_higher_value_is_drawn_no_lower(values: list[float]) -> None:
    lines = spark(values, len(values), 3)
    tall = [sum("▁▂▃▄▅▆▇█".index(line[i]) + 1 for line in lines if line[i] != " ") for i in range(len(values))]
    order = np.argsort(values)
    assert sorted(tall) == [tall[i] for i in order]


@given(st.one_of(st.just(0.0), st.floats(1e-5, 1e11), st.floats(-1e11, -1e-5)), st.integers(2, 8))
def test_a_number_is_right_to_its_digits(value: float, digits: int) -> None:
    text = number(value, digits)
    assert float(text) == pytest.approx(value, rel=0.5001 * 10 ** (1 - digits))
    assert "e" not in text
