"""hftbacktest's events, held against its documented order written out in plain Python."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators import hft_engine
from operators.hft_engine import HftEngine
from operators.hft_events import BUY, EVENT, EXCH, LOCAL, SELL
from operators.known_levels import KnownLevels
from sources.errors import TickwaxError
from sources.tape.batch import DELTA, RESET, SNAPSHOT, TRADE, TapeBatch, tape_batch
from sources.tape.earliest import EarliestTimes

DEPTH, PRINT, CLEAR, SNAP = 1, 2, 3, 4


class Row(NamedTuple):
    kind: int
    exchange_ts: int
    receive_ts: int
    side: int
    price: float
    size: float
    last: bool


def tape(rows: list[Row]) -> TapeBatch:
    columns = {name: [getattr(row, name) for row in rows] for name in Row._fields}
    return tape_batch(ordinal=range(len(rows)), sequence=np.zeros(len(rows)), **columns)


@st.composite
def tapes(draw: st.DrawFn) -> list[Row]:
    """Messages whose times step back now and then, and often tie."""
    rows: list[Row] = []
    at = 1000
    for _ in range(draw(st.integers(1, 12))):
        at += draw(st.integers(-2, 3))
        exchange_ts = at + draw(st.integers(-3, 3))
        kind = draw(st.sampled_from([SNAPSHOT, DELTA, DELTA, TRADE, TRADE, RESET]))
        if kind == RESET:
            rows.append(Row(kind, exchange_ts, at, 0, 0.0, 0.0, True))
            continue
        count = 1 if kind == TRADE else draw(st.integers(1, 3))
        torn = kind != TRADE and draw(st.integers(0, 9)) == 0
        for n in range(count):
            side, price = draw(st.sampled_from([1, -1])), float(draw(st.integers(1, 5)))
            rows.append(Row(kind, exchange_ts, at, side, price, float(n + 1), n == count - 1 and not torn))
    return rows


def expected(rows: list[Row], wait: bool) -> list[tuple[int, int, int, float, float]]:
    """What the page says, event by event."""
    latency = min(row.receive_ts - row.exchange_ts for row in rows)
    events: list[tuple[int, int, int, float, float]] = []
    clock: int | None = None
    known_at: int | None = None
    before: Row | None = None
    told: set[int] = set()
    for n, row in enumerate(rows):
        flag = BUY if row.side > 0 else SELL
        local_ts = row.receive_ts
        if row.kind == RESET:
            exchange_ts = max(row.exchange_ts, clock if clock is not None else row.exchange_ts)
            events.append((CLEAR, exchange_ts, max(local_ts, exchange_ts + latency), 0.0, 0.0))
            clock = known_at = None
        elif row.kind == SNAPSHOT:
            if before is None or before.kind != SNAPSHOT or before.last:
                if known_at is not None:
                    events.append((CLEAR, row.exchange_ts, local_ts, 0.0, 0.0))
                told, known_at = set(), local_ts
            if row.side not in told:
                told.add(row.side)
                message = []
                for other in rows[n:]:
                    if other.kind != SNAPSHOT:
                        break
                    message.append(other)
                    if other.last:
                        break
                prices = [other.price for other in message if other.side == row.side]
                far = min(prices) if row.side > 0 else max(prices)
                events.append((CLEAR | flag, row.exchange_ts, local_ts, far, 0.0))
            events.append((SNAP | flag, row.exchange_ts, local_ts, row.price, row.size))
        else:
            if wait and row.kind == DELTA and known_at is not None:
                local_ts = max(local_ts, known_at)
            what = DEPTH if row.kind == DELTA else PRINT
            events.append((what | flag, row.exchange_ts, local_ts, row.price, row.size))
        if row.kind in (SNAPSHOT, DELTA):
            clock = max(row.exchange_ts, clock if clock is not None else row.exchange_ts)
        before = row
    shift = max(0, -latency)
    local = [(ev, exch, at + shift, px, qty) for ev, exch, at, px, qty in sorted(events, key=lambda e: e[2])]
    exchange = sorted(local, key=lambda e: e[1])
    out = []
    x = t = 0
    while x < len(exchange) or t < len(local):
        if x == len(exchange):
            which = LOCAL
        elif t == len(local):
            which = EXCH
        else:
            a, b = exchange[x][1:3], local[t][1:3]
            which = EXCH | LOCAL if a == b else EXCH if a < b else LOCAL
        event = exchange[x] if which & EXCH else local[t]
        out.append((event[0] | which, *event[1:]))
        x += bool(which & EXCH)
        t += bool(which & LOCAL)
    return out


def events(rows: list[Row], cuts: list[int], wait: bool) -> list[tuple[int, int, int, float, float]]:
    whole = tape(rows)
    edges = sorted({0, *(cut % (len(rows) + 1) for cut in cuts), len(rows)})
    parts = [whole.slice(a, b) for a, b in pairwise(edges)]
    engine = HftEngine(EarliestTimes(parts), wait)
    out = np.concatenate([*(engine.process(part) for part in parts), engine.finish()])
    assert out.dtype == EVENT
    assert not any(out[name].any() for name in ("order_id", "ival", "fval"))
    return list(zip(*(out[name].tolist() for name in ("ev", "exch_ts", "local_ts", "px", "qty")), strict=True))


@given(tapes(), st.lists(st.integers(0, 40), max_size=6), st.booleans())
def test_events_are_those_of_the_definition_in_any_split(rows: list[Row], cuts: list[int], wait: bool) -> None:
    assert events(rows, cuts, wait) == expected(rows, wait)


@given(tapes(), st.booleans())
def test_both_orders_rise_and_nothing_comes_before_it_happens(rows: list[Row], wait: bool) -> None:
    found = events(rows, [], wait)
    for flag, column in ((EXCH, 1), (LOCAL, 2)):
        times = [event[column] for event in found if event[0] & flag]
        assert times == sorted(times)
    assert all(event[1] <= event[2] for event in found)
    given_to = [sum(bool(event[0] & flag) for event in found) for flag in (EXCH, LOCAL)]
    assert given_to[0] == given_to[1] >= len(rows)


def test_a_part_far_out_of_order_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hft_engine, "MOST_WAITING", 3)
    row = Row(TRADE, 10**18, 10**18, 1, 1.0, 1.0, True)
    rows = [row._replace(exchange_ts=10**18 + n) for n in range(5)] + [row._replace(exchange_ts=10**18 - 1)]
    with pytest.raises(TickwaxError, match=r"rows of 3 events from 2001-09-09T01:46:40\.\d+Z on have later times"):
        events(rows, [1, 2, 3, 4, 5], False)


@given(tapes(), st.lists(st.integers(0, 40), max_size=6))
def test_known_levels_are_those_of_a_plain_book(rows: list[Row], cuts: list[int]) -> None:
    book: dict[tuple[int, float], float] | None = None
    before: Row | None = None
    for row in rows:
        if row.kind == RESET:
            book = None
        elif row.kind == SNAPSHOT and (before is None or before.kind != SNAPSHOT or before.last):
            book = {}
        if row.kind in (SNAPSHOT, DELTA) and book is not None:
            book[row.side, row.price] = row.size
        before = row
    whole = tape(rows)
    edges = sorted({0, *(cut % (len(rows) + 1) for cut in cuts), len(rows)})
    levels = KnownLevels()
    for a, b in pairwise(edges):
        levels.apply(whole.slice(a, b))
    found = levels.snapshot(7, 10**6, 5)
    assert dict(zip(zip(found.side.tolist(), found.price.tolist(), strict=True), found.size.tolist(), strict=True)) == (
        book or {}
    )
    assert found.last.tolist() == [False] * (found.rows - 1) + [True] * bool(found.rows)
    assert found.exchange_ts.max(initial=0) <= max(row.exchange_ts for row in rows)


def test_removed_levels_are_not_known() -> None:
    levels = KnownLevels()
    row = Row(SNAPSHOT, 1, 1, 1, 10.0, 1.0, False)
    levels.apply(tape([row, row._replace(price=9.0, size=2.0), row._replace(side=-1, price=11.0, last=True)]))
    levels.apply(tape([row._replace(kind=DELTA, size=0.0, last=True, exchange_ts=5)]))
    found = levels.snapshot(3, 4, 9)
    assert (found.side.tolist(), found.price.tolist(), found.size.tolist()) == ([1, -1], [9.0, 11.0], [2.0, 1.0])
    assert (found.exchange_ts.tolist(), found.receive_ts.tolist()) == ([4, 4], [9, 9])
