"""Bars against a brute force that keeps every event."""

import math
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.bar_engine import BarConfig, BarEngine
from sources.tape.batch import RESET, TRADE, TapeBatch, tape_batch
from tests.oracle.book import message_ends
from tests.oracle.order_flow import ofi
from tests.strategies import split, splits, tapes

KINDS = ("time", "tick", "volume", "dollar", "tick-imbalance", "volume-imbalance", "dollar-imbalance")


@dataclass
class Open:
    """The events since the bar before."""

    trades: list[tuple[int, int, int, float, float]] = field(default_factory=list)  # clock, ordinal, side, price, size
    flows: list[float] = field(default_factory=list)


def expected(batch: TapeBatch, config: BarConfig) -> list[tuple[Any, ...]]:
    """Every bar: open and close time, ordinals, trades, whole, OHLC, volume, notional, bought, order flow."""
    bars: list[tuple[Any, ...]] = []
    views = message_ends(batch)
    before = None
    now = interval = 0
    bar = Open()
    learned: list[tuple[int, float]] = []  # trades and θ of whole bars

    def end(begin: int, close: int, whole: bool) -> None:
        nonlocal bar
        prices = [t[3] for t in bar.trades]
        sizes = [t[4] for t in bar.trades]
        bars.append((
            close, begin, bar.trades[0][1], bar.trades[-1][1], len(bar.trades), whole,
            prices[0], max(prices), min(prices), prices[-1],
            math.fsum(sizes), math.fsum(p * s for p, s in zip(prices, sizes, strict=True)),
            math.fsum(t[4] for t in bar.trades if t[2] > 0), math.fsum(bar.flows),
            math.fsum(p * s for p, s in zip(prices, sizes, strict=True)) / math.fsum(sizes),
        ))  # fmt: skip
        bar = Open()

    for i in range(batch.rows):
        if batch.kind[i] == RESET:
            if bar.trades:
                start = interval if config.kind == "time" else bar.trades[0][0]
                end(start, now, False)
            bar, now, interval, before = Open(), 0, 0, None
            continue
        now = max(now, int(batch.exchange_ts[i]))
        width = int(config.size)
        if config.kind == "time" and now // width * width != interval:
            if bar.trades:
                end(interval, interval + width, True)
            bar, interval = Open(), now // width * width
        if batch.kind[i] == TRADE:
            bar.trades.append(
                (now, int(batch.ordinal[i]), int(batch.side[i]), float(batch.price[i]), float(batch.size[i]))
            )
            if full(config, bar, learned):
                end(bar.trades[0][0], now, True)
        if i in views and views[i].is_update:
            bar.flows.append(ofi(before, views[i], 1, "cont"))
            before = views[i]
    return bars


def full(config: BarConfig, bar: Open, learned: list[tuple[int, float]]) -> bool:
    unit = {"tick": lambda t: 1.0, "volume": lambda t: t[4], "dollar": lambda t: t[3] * t[4]}
    kind, _, imbalance = config.kind.partition("-")
    if kind == "time":
        return False
    if not imbalance:
        return math.fsum(map(unit[kind], bar.trades)) >= config.size
    theta = math.fsum(t[2] * unit[kind](t) for t in bar.trades)
    trades = len(bar.trades)
    fewest, most = max(1.0, 0.1 * config.size), 10.0 * config.size
    if learned:
        decay = 2 / (config.span + 1)
        length, flow = float(learned[0][0]), learned[0][1] / learned[0][0]
        length = min(max(length, fewest), most)
        for count, before in learned[1:]:
            length = min(max(length + decay * (count - length), fewest), most)
            flow += decay * (before / count - flow)
        done = (trades >= fewest and abs(theta) >= length * abs(flow)) or trades >= most
    else:
        done = trades >= config.size
    if done:
        learned.append((trades, theta))
    return done


def made(batches: list[TapeBatch], config: BarConfig) -> list[tuple[Any, ...]]:
    engine = BarEngine(config)
    out = []
    for batch in batches:
        bars = engine.process(batch)
        out += [
            (*bars.integer[:, r].tolist(), bool(bars.code[0, r]), *bars.value[:, r].tolist()) for r in range(bars.rows)
        ]
    return out


def configs() -> st.SearchStrategy[BarConfig]:
    size = {"time": (10**8, 10**9), "tick": (1, 3), "volume": (0.7, 3.0, 1e3), "dollar": (50.0, 1e4)}
    return st.sampled_from(KINDS).flatmap(
        lambda kind: st.builds(
            BarConfig, st.just(kind), st.sampled_from(size.get(kind, (1.0, 2.0, 4.0))), st.just((1,)), st.integers(1, 4)
        )
    )


@given(tapes(), configs())
def test_bars_are_those_of_the_definition(tape: TapeBatch, config: BarConfig) -> None:
    assert made([tape], config) == expected(tape, config)


@given(st.data(), configs())
def test_no_split_changes_a_bit(data: st.DataObject, config: BarConfig) -> None:
    tape = data.draw(tapes())
    assert made(split(tape, data.draw(splits(tape.rows))), config) == made([tape], config)


def trades(prices: list[float], sizes: list[float], sides: list[int], step_ns: int = 10**9) -> TapeBatch:
    n = len(prices)
    ts = [10**18 + i * step_ns for i in range(n)]
    return tape_batch(ordinal=range(n), exchange_ts=ts, receive_ts=ts, sequence=range(n), kind=[TRADE] * n, side=sides,
                      price=prices, size=sizes, last=[True] * n)  # fmt: skip


def test_a_volume_bar_by_hand() -> None:
    bars = made([trades([10, 12, 9, 11], [1, 2, 3, 4], [1, -1, 1, 1])], BarConfig("volume", 6))
    begin = 10**18
    assert bars == [(begin + 2 * 10**9, begin, 0, 2, 3, True, 10, 12, 9, 9, 6, 61, 4, 0, 61 / 6)]


def test_imbalance_bars_grow_with_balance() -> None:
    """A run of buys closes bars soon; alternating sides do not, until the bound on trades."""
    config = BarConfig("tick-imbalance", 4, span=2)
    runs = made([trades([10.0] * 40, [1.0] * 40, [1] * 40)], config)
    assert [bar[4] for bar in runs] == [4] * 10
    sides = [1] * 4 + [1, -1] * 40
    assert [bar[4] for bar in made([trades([10.0] * 84, [1.0] * 84, sides)], config)][:2] == [4, 40]


def test_many_bars_of_one_batch() -> None:
    n = 10_000
    bars = made([trades([10.0] * n, [1.0] * n, [1] * n)], BarConfig("tick", 1))
    assert len(bars) == n
    assert [bar[2] for bar in bars] == list(range(n))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("range", 1.0), "kind: 'range' is not one of"),
        (("tick", 0.0), "size: 0.0 is not a positive number"),
        (("tick", 1.5), "size: 1.5 is not a whole number"),
        (("volume", math.inf), "size: inf is not a positive number"),
        (("volume", math.nan), "size: nan is not a positive number"),
        (("tick", 1.0, (1,), 0), "span: 0 is less than 1"),
        (("tick", 1.0, (0,)), "depths:"),
    ],
)
def test_bad_configurations(arguments: tuple[Any, ...], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        BarConfig(*arguments)
