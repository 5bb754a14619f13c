"""The inspection of a tape against the oracle, and its own edges."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators import inspection_state as of
from operators.inspection_engine import MOST_GAPS, DayFigures, InspectionConfig, InspectionEngine
from operators.inspection_verdict import BAD, DOUBTFUL, GOOD, Limits, judged
from sources.tape.batch import DELTA, RESET, SNAPSHOT, TRADE, TapeBatch, tape_batch
from tests.oracle import inspection as oracle
from tests.strategies import split, splits, tapes

SECOND = 10**9
DAY = 86_400 * SECOND
START = 20_000 * DAY
CONFIG = InspectionConfig(silence_ns=60 * SECOND, stale_ns=20 * SECOND, jump=1e-3, far=1e-3)
STEPS = (*(0,) * 8, 1, 10**6, SECOND, 20 * SECOND, 20 * SECOND + 1, 60 * SECOND, 60 * SECOND + 1, DAY // 4, DAY,
         3 * DAY + 5, -SECOND, -DAY)  # fmt: skip


@st.composite
def recordings(draw: st.DrawFn) -> TapeBatch:
    """Tapes that arrive over days, with clocks that step back and rows that are missing before resets."""
    batch = draw(tapes(max_messages=20))
    steps = draw(st.lists(st.sampled_from(STEPS), min_size=1, max_size=30))
    offset = draw(st.sampled_from((0, DAY - 1, DAY // 2)))
    received = START + offset + np.cumsum([steps[i % len(steps)] for i in range(batch.rows)], dtype=np.int64)
    received = np.maximum(received, 0)
    late = draw(st.sampled_from((0, 5, -3, 1_500_000, 2047, 2049, 2**40 - 1, DAY)))
    lost = draw(st.integers(0, 3))
    ordinal = batch.ordinal + lost * np.cumsum(batch.kind == RESET)
    own_times = draw(st.booleans())
    exchange = received - late if own_times else batch.exchange_ts
    return batch._replace(receive_ts=received, ordinal=ordinal, exchange_ts=exchange)


def inspected(parts: list[TapeBatch], config: InspectionConfig = CONFIG) -> list[DayFigures]:
    engine = InspectionEngine(config)
    days = [day for part in parts for day in engine.process(part)]
    last = engine.finish()
    return days if last is None else [*days, last]


def plain(day: DayFigures) -> dict[str, Any]:
    """In the words of the oracle."""
    counts, times = day.counts.tolist(), day.times.tolist()
    sampled = counts[of.SAMPLES] > 0
    return {
        "day": day.day,
        "first": None if times[of.FIRST] < 0 else times[of.FIRST],
        "last": None if times[of.LAST] < 0 else times[of.LAST],
        "largest jump": day.largest_jump,
        "gaps": [(gap.begin, gap.end, set(gap.causes)) for gap in day.gaps],
        "snapshot": counts[SNAPSHOT],
        "delta": counts[DELTA],
        "trade": counts[TRADE],
        "reset": counts[RESET],
        "snapshots": counts[of.SNAPSHOTS],
        "resyncs": counts[of.RESYNCS],
        "book messages": counts[of.BOOK_MESSAGES],
        "crossed messages": counts[of.CROSSED_MESSAGES],
        "torn": counts[of.TORN],
        "unknown deltas": counts[of.UNKNOWN_DELTAS],
        "missing": counts[of.MISSING_ROWS],
        "steps back": counts[of.STEPS_BACK],
        "jumps": counts[of.JUMPS],
        "checked": counts[of.CHECKED_PRINTS],
        "outside": counts[of.OUTSIDE_PRINTS],
        "far": counts[of.FAR_PRINTS],
        "off book": counts[of.OFF_BOOK_PRINTS],
        "against": counts[of.AGAINST_PRINTS],
        "span": times[of.SPAN],
        "gap": times[of.GAP],
        "crossed": times[of.CROSSED_TIME],
        "one-sided": times[of.ONE_SIDED_TIME],
        "stale stretches": counts[of.STALE_STRETCHES],
        "stale": times[of.STALE_TIME],
        "longest stale": times[of.LONGEST_STALE],
        "samples": counts[of.SAMPLES],
        "negative": counts[of.NEGATIVE],
        "least": times[of.LEAST] if sampled else None,
        "most": times[of.MOST] if sampled else None,
        "quantiles": day.latency,
    }


def expected(batch: TapeBatch) -> list[dict[str, Any]]:
    return oracle.days(batch, CONFIG.silence_ns, CONFIG.stale_ns, CONFIG.jump, CONFIG.far)


@given(recordings())
def test_every_figure_is_the_oracles(batch: TapeBatch) -> None:
    found = inspected([batch])
    assert [plain(day) for day in found] == expected(batch)
    for day in found:
        longest = max((gap.end - gap.begin for gap in day.gaps), default=0)
        assert (int(day.counts[of.GAPS]), int(day.times[of.LONGEST_GAP])) == (len(day.gaps), longest)
        assert int(day.times[of.GAP]) == sum(gap.end - gap.begin for gap in day.gaps)


@given(recordings(), st.data())
def test_batches_change_nothing(batch: TapeBatch, data: st.DataObject) -> None:
    cuts = data.draw(splits(batch.rows))
    assert [plain(d) for d in inspected(split(batch, cuts))] == [plain(d) for d in inspected([batch])]
    assert [plain(d) for d in inspected(split(batch, list(range(batch.rows + 1))))] == expected(batch)


def rows(*parts: tuple[float, int, int, float, float]) -> TapeBatch:
    """Rows of one message each: second of arrival, kind, side, price, size."""
    seconds, kind, side, price, size = zip(*parts, strict=True) if parts else ([],) * 5
    times = [START + int(s * SECOND) for s in seconds]
    return tape_batch(
        ordinal=range(len(parts)), exchange_ts=[t - 10**6 for t in times], receive_ts=times, sequence=[1] * len(parts),
        kind=kind, side=side, price=price, size=size, last=[True] * len(parts),
    )  # fmt: skip


def book(second: float, bid: float = 99.0, ask: float = 101.0) -> list[tuple[float, int, int, float, float]]:
    """A snapshot of a bid, and a delta that adds the ask at the same time."""
    return [(second, SNAPSHOT, 1, bid, 1.0), (second, DELTA, -1, ask, 1.0)]


@pytest.mark.jit_off
class TestByHand:
    def test_an_empty_tape(self) -> None:
        assert inspected([rows()]) == []

    def test_a_tape_of_one_row_has_no_span(self) -> None:
        (day,) = inspected([rows((0, TRADE, 1, 1.0, 1.0))])
        assert (day.coverage, day.rows) == (None, 1)
        assert judged(day, Limits()) == (DOUBTFUL, ["all rows came at one time"])

    def test_a_reset_costs_from_the_row_before_to_the_whole_snapshot(self) -> None:
        (day,) = inspected([rows(*book(0), (10, TRADE, 1, 101, 1), (15, RESET, 0, 0, 0), (20, TRADE, 1, 101, 1),
                                 *book(25), (30, TRADE, 1, 101, 1))])  # fmt: skip
        assert day.coverage == 0.5
        assert [(g.begin - START, g.end - START, g.causes) for g in day.gaps] == [
            (10 * SECOND, 25 * SECOND, ("reset",))
        ]
        assert judged(day, Limits()) == (BAD, ["coverage 50 %, below 95 %"])
        assert judged(day, Limits(coverage=(50.0, 10.0)))[0] == GOOD
        assert judged(day, Limits(coverage=(50.1, 50.0)))[0] == DOUBTFUL

    def test_silence_over_midnight_is_a_gap_of_each_day(self) -> None:
        before, middle, after = inspected([rows(*book(0), (3 * 86400 - 86400 / 2, DELTA, 1, 99, 2))])
        assert [day.coverage for day in (before, middle, after)] == [0.0, 0.0, 0.0]
        assert [day.rows for day in (before, middle, after)] == [2, 0, 1]
        assert all(day.gaps[0].causes == ("silence",) for day in (before, middle, after))

    def test_prints(self) -> None:
        prints = [(1, TRADE, 1, p, 1.0) for p in (101, 101.05, 102, 100, 99, 98)]
        (day,) = inspected([rows(*book(0), *prints)])
        counts = day.counts.tolist()
        assert counts[of.CHECKED_PRINTS] == 6
        assert counts[of.OUTSIDE_PRINTS] == 3
        assert counts[of.FAR_PRINTS] == 2
        assert counts[of.OFF_BOOK_PRINTS] == 1
        assert counts[of.AGAINST_PRINTS] == 2

    def test_a_book_that_grows(self) -> None:
        levels = [(0, SNAPSHOT, 1, 1 + i / 7, 1.0) for i in range(3000)]
        batch = rows(*levels, (1, DELTA, 1, 0.5, 1.0))
        batch = batch._replace(last=np.arange(batch.rows) >= 2999)
        (day,) = inspected([batch])
        assert day.counts[[SNAPSHOT, DELTA, TRADE, RESET, of.SNAPSHOTS]].tolist() == [3000, 1, 0, 0, 1]
        assert day.times[of.ONE_SIDED_TIME] == SECOND

    def test_gaps_beyond_the_most_are_counted(self) -> None:
        n = MOST_GAPS + 10
        flapping = rows(*[row for i in range(n) for row in (*book(2 * i), (2 * i + 1, DELTA, 1, 99, 2),
                                                            (2 * i + 1.5, RESET, 0, 0, 0))])  # fmt: skip
        (day,) = inspected([flapping])
        assert (len(day.gaps), int(day.counts[of.GAPS])) == (MOST_GAPS, n)
        assert day.times[of.GAP] == n * SECOND - SECOND // 2

    @pytest.mark.parametrize(
        "ns", [0, 1, 127, 128, 2047, 2048, 2049, 2**40 - 1, 2**40, 2**53 - 1, 2**53 + 1, 2**62 - 1, 2**62]
    )
    def test_buckets_round_towards_0(self, ns: int) -> None:
        assert of.lower_edge(of.bucket(ns)) == oracle.rounded(ns)
        assert of.lower_edge(of.bucket(-ns)) == oracle.rounded(-ns)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"coverage": (90.0, 95.0)}, r"coverage: 90,95 is not falling"),
        ({"jumps": (2.0, 1.0)}, r"jumps: 2,1 is not rising"),
        ({"far": (float("nan"), 1.0)}, r"far: nan,1 are not two numbers"),
        ({"stale": (0.0, float("inf"))}, r"stale: 0,inf are not two numbers"),
    ],
)
def test_limits_that_make_no_sense(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Limits(**wrong)
