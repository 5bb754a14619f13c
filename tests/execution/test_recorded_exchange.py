"""`tickwax backtest` on a recorded market against the exchange of `tests.oracle.independent_exchange`, to the bit."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sources.tape.batch import KINDS
from tests.commands import tickwax
from tests.conftest import ROOT
from tests.execution.backtests import backtest, differences, write_schedule
from tests.oracle.exchange_cases import MS
from tests.oracle.independent_backtest import Backtest
from tests.oracle.independent_exchange import Exchange
from tests.oracle.independent_orders import Request, Rules, TapeRow
from tests.oracle.independent_strategies import PythonStrategy
from tests.oracle.roulette import Roulette

pytestmark = pytest.mark.slow

BTC = ("binance_futures", "BTCUSDT")


@pytest.fixture(scope="module")
def btc(market_data, tmp_path_factory) -> tuple[Path, list[TapeRow]]:
    """The tape of the BTC capture, 2024-08-08: its folder and its rows."""
    root = tmp_path_factory.mktemp("btc") / "tape"
    capture = market_data / "binance_usdm" / "btcusdt_20240808.gz"
    where = ("--venue", BTC[0], "--symbol", BTC[1], "--tape", root)
    done = tickwax("import", "hftbacktest", capture, *where)
    assert done.returncode == 0, done.stderr
    rows = []
    for file in sorted(root.glob("*/*/*/*.parquet")):
        columns = pq.ParquetFile(file).read().select([*TapeRow.__dataclass_fields__])
        for n in (0, 1):
            columns = columns.set_column(n, columns.column_names[n], columns[n].cast(pa.int64()))
        columns = columns.set_column(2, "kind", pa.array([KINDS.index(word) for word in columns["kind"].to_pylist()]))
        rows += [TapeRow(*values) for values in zip(*(column.to_pylist() for column in columns.columns), strict=True)]
    return root, rows


@dataclass
class Watcher:
    """Decides nothing, and keeps the quote of every row."""

    seen: list[tuple[int, float, float]]

    def decide(self, ts: int, local: int, exchange: Exchange) -> list[Request]:
        self.seen.append((ts, *exchange.quote))
        return []


BTC_RULES = Rules(Fraction(1, 10), Fraction(1, 1000))


def random_schedule(seen: Sequence[tuple[int, float, float]], orders: int) -> list[tuple[int, Request]]:
    draw = random.Random(20240808)
    result = []
    for number in range(orders):
        ts, bid, ask = draw.choice(seen)
        at, side = ts - draw.randrange(20 * MS), draw.choice((1, -1))
        best = round((bid if side > 0 else ask) * 10)
        ticks = best - side * draw.choice((-20, -3, -1, 0, 0, 0, 0, 1, 2, 5, 30))
        kind = "market" if draw.random() < 0.05 else "limit"
        tif = draw.choices(("gtc", "gtx", "ioc"), (6, 2, 1))[0]
        size = draw.choice((1, 2, 5, 10, 100, 1000, 20_000)) / 1000
        result.append((at, Request("new", number, side, kind, tif, ticks / 10, size)))
        for _ in range(draw.choice((0, 1, 1, 2))):
            later = at + draw.randrange(20_000 * MS)
            if draw.random() < 0.4:
                result.append((later, Request("cancel", number)))
            else:
                new = ticks if draw.random() < 0.5 else ticks + draw.choice((-5, -1, 1, 5))
                result.append(
                    (later, Request("amend", number, side, kind, tif, new / 10, size / draw.choice((1, 2, 5))))
                )
    return result


@pytest.mark.soak
@pytest.mark.parametrize("queue", ["power", "risk_averse"])
def test_a_schedule_on_a_recorded_market(queue, btc, tmp_path):
    root, rows = btc
    rules = replace(BTC_RULES, queue=queue)
    watcher = Watcher([])
    Backtest(rules, decider=watcher).run(rows)
    schedule = random_schedule(watcher.seen, 1500)
    write_schedule(tmp_path / "schedule.parquet", {BTC: schedule})
    backtest(root, tmp_path / "out", "--orders", tmp_path / "schedule.parquet", "--queue", queue)
    wanted = Backtest(rules)
    wanted.schedule(schedule)
    wanted.run(rows)
    assert not list(differences(tmp_path / "out", *BTC, wanted))
    assert {fill["liquidity"] for fill in wanted.exchange.fills} == {"maker", "taker"}
    assert len(wanted.exchange.fills) > 500


def test_a_strategy_on_a_recorded_market(btc, tmp_path):
    root, rows = btc
    backtest(root, tmp_path / "out", "--strategy", "tests.oracle.roulette:Roulette", cwd=ROOT)
    wanted = Backtest(BTC_RULES, decider=PythonStrategy(Roulette())).run(rows)
    assert not list(differences(tmp_path / "out", *BTC, wanted))
    assert len(wanted.exchange.fills) > 100
