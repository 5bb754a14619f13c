"""Thinned curves show what the whole curve shows: extremes, ends and gaps; by brute force, pixel by pixel."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflows.reports.thinning import ThinnedCurve, ThinnedWords

PIXELS = 7
NAN = float("nan")


def pixel_of(ts: int, start: int, end: int, pixels: int) -> int:
    return (ts - start) // ((end - start) // pixels + 1)


@st.composite
def curves(draw: st.DrawFn) -> tuple[list[int], list[float], list[bool], list[int]]:
    """Times, values, breaks, and how many rows come at a time."""
    n = draw(st.integers(1, 60))
    ts = sorted(draw(st.lists(st.integers(0, 100), min_size=n, max_size=n)))
    y = draw(st.lists(st.sampled_from([NAN, -2.0, -1.0, 0.0, 1.0, 3.0]), min_size=n, max_size=n))
    broken = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    return ts, y, broken, draw(st.lists(st.integers(1, 20), min_size=1, max_size=5))


def fed(curve, columns, sizes):
    at, n = 0, len(columns[0])
    while at < n:
        for size in sizes:
            curve.add(*(column[at : at + size] for column in columns))
            at += size
    return curve


@settings(max_examples=40, deadline=None)
@given(curves())
def test_a_thinned_curve_against_all_its_values(case):
    ts, y, broken, sizes = case
    start, end = ts[0], ts[-1]
    columns = (np.array(ts), np.array(y), np.array(broken))
    got_ts, got_y = fed(ThinnedCurve(start, end, PIXELS), columns, sizes).curve()
    kept = [(int(t), v) for t, v in zip(got_ts, got_y, strict=True) if not np.isnan(v)]
    known = [(t, v) for t, v in zip(ts, y, strict=True) if not np.isnan(v)]
    for pixel in range(PIXELS):
        here = [v for t, v in known if pixel_of(t, start, end, PIXELS) == pixel]
        seen = [v for t, v in kept if pixel_of(t, start, end, PIXELS) == pixel]
        assert (here == []) == (seen == [])
        if here:
            assert (min(seen), max(seen), seen[0], seen[-1]) == (min(here), max(here), here[0], here[-1])
    rest = iter(known)
    assert all(any(one == other for other in rest) for one in kept)  # values of the curve, in its order
    # Between two pixel columns a line is drawn exactly where the whole curve has one.
    joined = {}
    last = None
    for i, v in enumerate(y):
        if np.isnan(v):
            whole = False
            continue
        if last is not None:
            whole = not (any(broken[last + 1 : i + 1]) or any(np.isnan(y[last + 1 : i])))
            if (a := pixel_of(ts[last], start, end, PIXELS)) != (b := pixel_of(ts[i], start, end, PIXELS)):
                joined[a, b] = whole
        last = i
    drawn, before = {}, None
    gap = False
    for t, v in zip(got_ts, got_y, strict=True):
        if np.isnan(v):
            gap = True
            continue
        pixel = pixel_of(int(t), start, end, PIXELS)
        if before is not None and before != pixel:
            drawn[before, pixel] = not gap
        before, gap = pixel, False
    assert drawn == joined


def test_few_values_stay_of_many():
    n = 200_000
    y = np.random.default_rng(1).normal(size=n).cumsum()
    y[123_456] = 1e6
    columns = (np.arange(n), y, np.zeros(n, np.bool_))
    ts, values = fed(ThinnedCurve(0, n - 1, 100), columns, [7_000]).curve()
    assert len(ts) <= 16 * 100 + 4 * 100
    assert (values.max(), values.min(), values[0], values[-1]) == (1e6, y.min(), y[0], y[-1])


def test_words_by_the_most_rows_of_a_pixel():
    ts = np.array([0, 1, 2, 10, 11, 40, 90])
    places = np.array([0, 0, 1, 1, 1, 1, 0])
    broken = np.array([False, False, False, False, False, False, True])
    words = ThinnedWords(0, 99, 10)
    words.add(ts, ["up", "down"], places, broken)
    assert words.stretches() == [("up", 0, 10), ("down", 10, 50), ("up", 90, 99)]


def test_no_word_goes_on_across_a_restart():
    """Behind a restart the word is not known for a while."""
    words = ThinnedWords(0, 99, 10)
    ts, broken = np.array([0, 10, 50, 55, 80]), np.array([False, False, True, False, False])
    words.add(ts, ["up"], np.array([0, 0, -1, -1, 0]), broken)
    assert words.stretches() == [("up", 0, 20), ("up", 80, 90)]


def test_a_row_without_a_word_counts_for_none():
    words = ThinnedWords(0, 99, 10)
    words.add(np.array([0, 50]), [None, "up"], np.array([-1, 1]), np.array([False, False]))
    assert words.stretches() == [("up", 50, 60)]
