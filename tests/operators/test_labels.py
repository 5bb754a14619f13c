"""Labels against the oracle: any split into calls, segments, prices that are none, and a future that is cut off."""

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.labels.config import LabelConfig
from operators.labels.engine import Labeller, LabelRows, Labels
from operators.labels.window import CUT, KEPT
from tests.oracle import labels as oracle
from tests.oracle.labels import Label, Row, Rules, labels

WORDS = (oracle.KEPT, oracle.COLD, oracle.FLAT, oracle.NO_PRICE, oracle.CUT)  # by code


def config_of(rules: Rules) -> LabelConfig:
    return LabelConfig(
        step_ns=rules.step,
        horizons=tuple((f"{h}ns", h) for h in rules.horizons),
        latency_ns=rules.latency,
        barrier_ns=rules.barrier,
        barrier_width=rules.width,
        executable=rules.executable,
    )


def columns(rows: list[Row]) -> LabelRows:
    names = ("ts", "mid", "bid", "ask", "volatility", "is_warm")
    kinds = (np.int64, *[np.float64] * 4, np.bool_)
    return LabelRows(*(np.array([getattr(r, n) for r in rows], k) for n, k in zip(names, kinds, strict=True)))


def as_labels(found: Labels) -> list[Label]:
    out = []
    for i, code in enumerate(found.why.tolist()):
        if code == KEPT:
            numbers = found.barrier[i], found.barrier_end[i], found.end[i]
            returns = tuple(found.returns[:, i].tolist())
            out.append(Label(WORDS[code], returns, *map(int, numbers), float(found.weight[i])))
        else:
            out.append(Label(WORDS[code]))
    return out


@st.composite
def rules(draw: st.DrawFn) -> Rules:
    step = draw(st.sampled_from((0, 5)))
    latency = draw(st.sampled_from((0, 0, 3, 5, 7)))
    horizons = draw(st.lists(st.sampled_from((8, 10, 15, 27)), min_size=1, max_size=3, unique=True))
    barrier = draw(st.sampled_from((10, 20, 32, 60)))
    return Rules(tuple(horizons), latency, barrier, draw(st.sampled_from((0.5, 1.0, 1.7))), draw(st.booleans()), step)


PRICES = (100.0, 100.0, 101.0, 99.0, 102.0, 98.0, 100.5, math.nan, 0.0)


@st.composite
def segments(draw: st.DrawFn, step: int) -> list[Row]:
    """Rows on a grid, or at times of which several are equal."""
    count = draw(st.integers(1, 30))
    gaps = [5] * count if step else draw(st.lists(st.integers(0, 9), min_size=count, max_size=count))
    codes = draw(st.lists(st.integers(0, 9 * 5 * 6 * 8 - 1), min_size=count, max_size=count))
    ts = draw(st.sampled_from((-100, 0, 1000)))
    rows = []
    for gap, code in zip(gaps, codes, strict=True):
        ts += gap
        code, price = divmod(code, len(PRICES))
        code, spread = divmod(code, 5)
        code, volatility = divmod(code, 6)
        mid = PRICES[price]
        half = (0.0, 0.1, 0.5, 1.0, math.nan)[spread]
        rows.append(
            Row(ts, mid, mid - half, mid + half, (0.005, 0.002, 0.01, 0.02, 0.0, math.nan)[volatility], code > 0)
        )
    return rows


@st.composite
def cases(draw: st.DrawFn) -> tuple[Rules, list[list[Row]], list[list[int]]]:
    """Segments, and cuts of each into calls."""
    chosen = draw(rules())
    parts = draw(st.lists(segments(chosen.step), min_size=1, max_size=3))
    cuts = [sorted(draw(st.lists(st.integers(0, len(part)), max_size=6))) for part in parts]
    return chosen, parts, [[0, *each, len(part)] for each, part in zip(cuts, parts, strict=True)]


def run(chosen: Rules, parts: list[list[Row]], cuts: list[list[int]], ends: bool = False) -> list[Labels]:
    """All that a labeller gives; ``ends``: after the last segment nobody knows whether it is over."""
    labeller, out = Labeller(config_of(chosen)), []
    for n, (part, at) in enumerate(zip(parts, cuts, strict=True)):
        out += [labeller.add(columns(part[a:b])) for a, b in pairwise(at)]
        out.append(labeller.end() if ends and n == len(parts) - 1 else labeller.end_segment())
    return out


def joined(parts: list[Labels]) -> Labels:
    return Labels(*(np.concatenate(each, axis=-1) for each in zip(*parts, strict=True)))


def check(found: list[Label], expected: list[Label]) -> None:
    assert [label.why for label in found] == [label.why for label in expected]
    for got, want in zip(found, expected, strict=True):
        assert replace(got, returns=(), weight=0.0) == replace(want, returns=(), weight=0.0)
        assert got.returns == want.returns
        assert got.weight == pytest.approx(want.weight, rel=1e-14)


@settings(max_examples=150, deadline=None)
@given(cases())
def test_the_oracle_agrees(case: tuple[Rules, list[list[Row]], list[list[int]]]) -> None:
    chosen, parts, cuts = case
    found = joined(run(chosen, parts, cuts))
    expected = [label for part in parts for label in labels(part, chosen, part[-1].ts)]
    check(as_labels(found), expected)
    assert found.group.tolist() == [n for n, part in enumerate(parts) for _ in part]


@settings(max_examples=80, deadline=None)
@given(cases())
def test_any_split_into_calls_gives_the_same_bits(case: tuple[Rules, list[list[Row]], list[list[int]]]) -> None:
    chosen, parts, cuts = case
    one = joined(run(chosen, parts, [[0, len(part)] for part in parts]))
    for split in (cuts, [list(range(len(part) + 1)) for part in parts]):
        many = joined(run(chosen, parts, split))
        for a, b in zip(one, many, strict=True):
            kept = one.why == KEPT if a is not one.why else slice(None)
            assert a[..., kept].tobytes() == b[..., kept].tobytes()


@settings(max_examples=120, deadline=None)
@given(cases(), st.data())
def test_no_future_changes_a_label(case: tuple[Rules, list[list[Row]], list[list[int]]], data: st.DataObject) -> None:
    """Rows that end anywhere: what is labelled then is labelled so with all rows, and what is cut is labelled later."""
    chosen, parts, cuts = case
    part = parts[-1]
    whole = joined(run(chosen, [part], [cuts[-1]]))
    stop = data.draw(st.integers(0, len(part)))
    early = joined(run(chosen, [part[:stop]], [[0, stop]], ends=True))
    assert len(early.why) == stop
    for i in range(stop):
        if early.why[i] != CUT:
            for a, b in zip(early, whole, strict=True):
                if a is early.why or early.why[i] == KEPT:
                    assert a[..., i].tobytes() == b[..., i].tobytes()
    # Before the end, too: a label that a call gives is there for good.
    running = joined([Labeller(config_of(chosen)).add(columns(part[:stop]))])
    for a, b in zip(running, whole, strict=True):
        kept = running.why == KEPT if a is not running.why else slice(None)
        assert a[..., kept].tobytes() == b[..., : len(running.why)][..., kept].tobytes()


@settings(max_examples=50, deadline=None)
@given(cases())
def test_rows_that_end_are_known_up_to_their_newest_time(
    case: tuple[Rules, list[list[Row]], list[list[int]]],
) -> None:
    """Of updates, another of the newest time may come: it is not known yet."""
    chosen, parts, cuts = case
    found = joined(run(chosen, parts[-1:], cuts[-1:], ends=True))
    known = parts[-1][-1].ts - (chosen.step == 0)
    check(as_labels(found), labels(parts[-1], chosen, known))


def flat(ts: list[int], mids: list[float], spread: float = 0.0) -> list[Row]:
    return [Row(t, m, m - spread, m + spread, 0.01) for t, m in zip(ts, mids, strict=True)]


def of(part: list[Row], chosen: Rules) -> list[Label]:
    return as_labels(joined(run(chosen, [part], [[0, len(part)]])))


BY_HAND = Rules((10,), 0, 20, 0.5, False, 5)  # width 0.5·0.01·sqrt(4) = 0.01


def test_a_label_by_hand() -> None:
    rows = flat([0, 5, 10, 15, 20, 25], [100.0, 100.0, 101.2, 99.0, 99.0, 99.0])
    first, second = of(rows, BY_HAND)[:2]
    assert first.barrier == second.barrier == 1
    assert first.barrier_end == 10  # log(101.2/100) = 0.0119
    assert first.returns == (math.log(101.2) - math.log(100.0),)
    assert second.returns == (math.log(99.0) - math.log(100.0),)
    # Labels begin at 0, 5, 10 …; those of 0 and 5 end at 10, that of 10 (−0.022) at 15: 1, 2 and 3 cover 0, 5 and 10.
    assert first.weight == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    assert second.weight == pytest.approx((1 / 2 + 1 / 3) / 2)


def test_the_spread_is_paid_on_executable_prices() -> None:
    rows = flat([0, 5, 10, 15, 20, 25], [100.0, 101.2, 100.0, 100.0, 100.0, 100.0], spread=0.2)
    assert of(rows, BY_HAND)[0].barrier == 1
    assert of(rows, replace(BY_HAND, executable=True))[0].barrier == 0  # in at 100.2, out at 101.0
    down = flat([0, 5, 10, 15, 20, 25], [100.0, 98.0, 100.0, 100.0, 100.0, 100.0], spread=0.2)
    assert of(down, replace(BY_HAND, executable=True))[0].barrier == -1  # sold at 99.8, bought at 98.2


def test_latency_moves_the_entry() -> None:
    rows = flat([0, 5, 10, 15, 20, 25], [100.0, 101.2, 101.2, 101.2, 101.2, 101.2])
    late = of(rows, replace(BY_HAND, latency=5))[0]
    assert late.barrier == 0  # one is in at 101.2
    assert late.returns == (0.0,)


def test_the_room_grows_and_is_used_again() -> None:
    """Many rows, in calls of a few: the same as at once, in memory for a horizon."""
    random = np.random.default_rng(1)
    mids = 100 * np.exp(np.cumsum(random.normal(0, 1e-4, 20_000)))
    rows = LabelRows(np.arange(20_000) * 5, mids, mids, mids, np.full(20_000, 1e-4), np.ones(20_000, bool))
    chosen = replace(BY_HAND, barrier=1000, horizons=(3000,))
    labeller = Labeller(config_of(chosen))
    parts = [labeller.add(LabelRows(*(column[a : a + 77] for column in rows))) for a in range(0, 20_000, 77)]
    assert len(labeller._window.ts) < 2_000
    parts.append(labeller.end_segment())
    one = Labeller(config_of(chosen))
    whole = joined([one.add(rows), one.end_segment()])
    many = joined(parts)
    kept = whole.why == KEPT
    assert kept.sum() == 20_000 - 600
    assert (many.why == whole.why).all()
    for a, b in zip(whole[1:], many[1:], strict=True):
        assert a[..., kept].tobytes() == b[..., kept].tobytes()


@pytest.mark.parametrize("tie", [1, 3], ids=["a time each", "three of a time"])
def test_many_labels_side_by_side_weigh_what_one_does(tie: int) -> None:
    """Weights are summed for many labels at once: each from its first row on, whatever its neighbours are."""
    random = np.random.default_rng(2)
    mids = 100 * np.exp(np.cumsum(random.normal(0, 2e-3, 300 * tie)))
    cold = random.random(300 * tie) < 0.1
    part = [
        Row(5 * (i // tie), mid, mid, mid, deviation, not bad)
        for i, (mid, deviation, bad) in enumerate(zip(mids, random.uniform(1e-3, 9e-3, 300 * tie), cold, strict=True))
    ]
    chosen = replace(BY_HAND, barrier=300, horizons=(100,), step=5 if tie == 1 else 0)
    labeller = Labeller(config_of(chosen))
    found = joined([labeller.add(columns(part)), labeller.end_segment()])
    check(as_labels(found), labels(part, chosen, part[-1].ts))
    assert 100 < (found.why == KEPT).sum() < 300 * tie


def test_time_does_not_step_back() -> None:
    labeller = Labeller(config_of(BY_HAND))
    labeller.add(columns(flat([5], [100.0])))
    with pytest.raises(ValueError, match=r"^ts: steps back inside a segment$"):
        labeller.add(columns(flat([4], [100.0])))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"horizons": ()}, "horizons: at least one"),
        ({"horizons": (("1s", 5), ("1s", 6))}, "horizons: '1s' stands twice"),
        ({"horizons": (("1ns", 1),), "latency_ns": 1}, "horizons: '1ns' is not above label.latency"),
        ({"latency_ns": -1}, "label.latency: -1 ns is negative"),
        ({"barrier_ns": 0}, "barrier.horizon: 0 ns is not above 0"),
        ({"barrier_ns": 10, "step_ns": 20, "horizons": (("1s", 99),)}, "barrier.horizon: 10 ns is shorter than"),
        ({"barrier_width": 0.0}, "barrier.width: 0.0 is not a positive number"),
        ({"barrier_width": math.inf}, "barrier.width: inf is not a positive number"),
    ],
)
def test_a_wrong_config_is_one_line(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=f"^{says}"):
        LabelConfig(**arguments)
