"""`tickwax backtest` against an exchange that was written from docs/execution.md alone: every row, to the bit.

The program is driven by its command, and read from its Parquet files. A run has many instruments, each a case of its
own.
"""

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from sources.tape.batch import RESET, SNAPSHOT
from tests.conftest import ROOT
from tests.execution.backtests import (
    Profile,
    backtest,
    differences,
    market_of,
    rows_of,
    write_schedule,
    write_tape,
)  # fmt: skip
from tests.oracle.exchange_cases import MS, START, Case
from tests.oracle.independent_backtest import Backtest
from tests.oracle.independent_orders import Request, TapeRow
from tests.oracle.independent_strategies import PythonStrategy
from tests.oracle.roulette import Roulette

pytestmark = pytest.mark.slow

PROFILES = {
    "defaults": Profile(),
    "update": Profile(sampling=0, queue="risk_averse", maker=-0.5, taker=0.0),
    "optimistic, at once": Profile(sampling=50 * MS, queue="optimistic", entry=0, response=0),
    "risk": Profile(power=2, maker=-1.5, max_position=20.03, max_order=10.003),
    "risk, slow reports": Profile(power=1, entry=1, response=300 * MS, max_position=40.00003, max_order=10.00003),
    "one clock": Profile(sampling=0, power=5, entry=300 * MS, one_clock=True, max_hold=120 * MS),
    "holes": Profile(sampling=10 * MS, power=16, max_hold=99 * MS),
}
INSTRUMENTS = 24


@pytest.mark.parametrize(("name", "workers"), [*((name, 1) for name in PROFILES), ("defaults", 2), ("update", 2)])
def test_schedules(name, workers, tmp_path):
    profile = PROFILES[name]
    first = 1000 * list(PROFILES).index(name)
    cases = market_of(tmp_path, profile, range(first, first + INSTRUMENTS))
    schedule = ("--orders", tmp_path / "schedule.parquet", "--config", tmp_path / "settings.toml", "-w", workers)
    backtest(tmp_path / "tape", tmp_path / "out", *schedule)
    happened = set()
    for (venue, symbol), made in cases.items():
        wanted = Backtest(profile.rules(venue, made), profile.sampling, profile.max_hold)
        wanted.schedule(made.schedule)
        wanted.run(made.rows)
        assert not list(differences(tmp_path / "out", venue, symbol, wanted))
        happened |= {(order["status"], order["reason"]) for order in wanted.exchange.orders}
        happened |= {(fill["liquidity"], None) for fill in wanted.exchange.fills}
    rejections = {"no book", "grid", "min size", "would take", "not open", *(("risk",) if profile.max_order else ())}
    plain = {(status, None) for status in ("accepted", "part", "filled", "cancelled", "expired", "maker", "taker")}
    amended = {("accepted", "amend"), ("cancelled", "amend"), ("cancelled", "reset")}
    assert happened == plain | amended | {("rejected", reason) for reason in rejections}


@pytest.mark.parametrize("name", ["defaults", "optimistic, at once", "one clock"])
def test_a_strategy_that_uses_all_it_is_shown(name, tmp_path):
    profile = PROFILES[name]
    cases = market_of(tmp_path, profile, range(50_000, 50_000 + INSTRUMENTS))
    strategy = ("--strategy", "tests.oracle.roulette:Roulette", "--config", tmp_path / "settings.toml")
    backtest(tmp_path / "tape", tmp_path / "out", *strategy, cwd=ROOT)
    fills = 0
    for (venue, symbol), made in cases.items():
        rules = profile.rules(venue, made)
        wanted = Backtest(rules, profile.sampling, profile.max_hold, PythonStrategy(Roulette())).run(made.rows)
        assert not list(differences(tmp_path / "out", venue, symbol, wanted))
        fills += len(wanted.exchange.fills)
    assert fills > 100


class Hold:
    """The shipped `hold`, as docs/strategies.md tells it."""

    columns = ()

    def __init__(self, size: float) -> None:
        self.size = size

    def decide(self, view: Any, orders: Any) -> None:
        if self.size:
            orders.market(int(math.copysign(1, self.size)), abs(self.size))
            self.size = 0.0


def test_hold(tmp_path):
    profile = Profile(max_hold=120 * MS)
    cases = market_of(tmp_path, profile, range(60_000, 60_000 + INSTRUMENTS))
    strategy = ("--strategy", "hold", "--param", "size=-30", "--config", tmp_path / "settings.toml")
    backtest(tmp_path / "tape", tmp_path / "out", *strategy)
    filled = 0
    for (venue, symbol), made in cases.items():
        rules = profile.rules(venue, made)
        wanted = Backtest(rules, profile.sampling, profile.max_hold, PythonStrategy(Hold(-30.0))).run(made.rows)
        assert not list(differences(tmp_path / "out", venue, symbol, wanted))
        filled += bool(wanted.exchange.fills)
    assert filled > INSTRUMENTS // 2


# By hand


def small_market(spread: int = 1) -> list[TapeRow]:
    """A book of bids up to 100 and asks from 101 on, ten lots of 0.1 a level, again every 50 ms."""
    rows = []
    for n in range(8):
        levels = [(1, 100 - depth) for depth in range(3)] + [(-1, 100 + spread + depth) for depth in range(3)]
        for m, (side, price) in enumerate(levels, 1):
            time = START + 50 * MS * n
            rows.append(TapeRow(time, time, SNAPSHOT, side, float(price), 1.0, m == len(levels)))
    return rows


SMALL = ("binance_futures", "SMALLUSDT")


def small_case(schedule: list[tuple[int, Request]], least: int = 1) -> Case:
    return Case(small_market(), schedule, Fraction(1), Fraction(1, 10), given=True, least=Fraction(least, 10))


def orders_of(folder: Path, profile: Profile, made: Case, *strategy: str) -> list[dict[str, Any]]:
    write_tape(folder / "tape", *SMALL, made.rows, 1000)
    write_schedule(folder / "schedule.parquet", {SMALL: made.schedule})
    (folder / "settings.toml").write_text(profile.toml({SMALL: made}))
    what = strategy or ("--orders", str(folder / "schedule.parquet"))
    backtest(folder / "tape", folder / "out", *what, "--config", folder / "settings.toml")
    return rows_of(folder / "out", "orders", *SMALL)


def test_no_more_than_256_orders_are_open(tmp_path):
    made = small_case([(START + n, Request("new", n, 1, "limit", "gtc", 99.0, 0.1)) for n in range(258)])
    found = orders_of(tmp_path, Profile(), made)
    assert [row["order_id"] for row in found if row["reason"] == "too many"] == [256, 257]
    wanted = Backtest(Profile().rules(SMALL[0], made))
    wanted.schedule(made.schedule)
    wanted.run(made.rows)
    assert not list(differences(tmp_path / "out", *SMALL, wanted))


def test_a_reset_gives_back_what_was_taken(tmp_path):
    rows = small_market()
    rows.insert(12, TapeRow(rows[11].exchange_ts, rows[11].receive_ts, RESET, 0, 0.0, 0.0, True))
    buys = [
        (START + at * MS, Request("new", at, 1, "market", None, math.nan, size)) for at, size in ((20, 0.5), (95, 1))
    ]
    made = Case(rows, buys, Fraction(1), Fraction(1, 10), given=True)
    assert orders_of(tmp_path, Profile(), made)
    assert [(row["price"], row["size"]) for row in rows_of(tmp_path / "out", "fills", *SMALL)] == [(101, 0.5), (101, 1)]


def test_a_position_reaches_its_limit_in_binary_fractions(tmp_path):
    buys = [(START + n, Request("new", n, 1, "market", None, math.nan, 0.25)) for n in range(5)]
    made = Case(small_market(), buys, Fraction(1), Fraction(1, 4), given=True)
    profile = Profile(max_position=1.0, max_order=0.25)
    assert [row["status"] for row in orders_of(tmp_path, profile, made)] == ["accepted", "filled"] * 4 + ["rejected"]
    wanted = Backtest(profile.rules(SMALL[0], made))
    wanted.schedule(buys)
    wanted.run(made.rows)
    assert not list(differences(tmp_path / "out", *SMALL, wanted))


BUYS = [(START + n, Request("new", n, 1, "market", None, math.nan, 0.1)) for n in range(3)]


def test_a_position_may_reach_its_limit(tmp_path):
    found = orders_of(tmp_path, Profile(max_position=0.3), small_case(BUYS))
    assert [row["status"] for row in found] == ["accepted", "filled"] * 3


def test_an_order_may_have_the_largest_size(tmp_path):
    order = (START, Request("new", 1, 1, "market", None, math.nan, 0.1 + 0.2))
    found = orders_of(tmp_path, Profile(max_order=0.3), small_case([order]))
    assert [(row["status"], row["size"]) for row in found] == [("accepted", 0.3), ("filled", 0.3)]


def test_an_order_may_have_the_least_size(tmp_path):
    order = (START, Request("new", 1, 1, "market", None, math.nan, 0.7 - 0.4))
    found = orders_of(tmp_path, Profile(), small_case([order], least=3))
    assert [(row["status"], row["size"]) for row in found] == [("accepted", 0.3), ("filled", 0.3)]


def test_a_rejected_market_order_has_no_price(tmp_path):
    found = orders_of(tmp_path, Profile(), small_case([], least=2), "--strategy", "hold", "--param", "size=0.1")
    assert [(row["reason"], math.isnan(row["price"])) for row in found] == [("min size", True)]


def test_an_amend_that_is_rejected_leaves_the_order(tmp_path):
    order = Request("new", 1, 1, "limit", "gtx", 99.0, 0.1)
    amend = Request("amend", 1, 1, "limit", "gtx", 101.0, 0.1)
    found = orders_of(tmp_path, Profile(), small_case([(START, order), (START + 60 * MS, amend)]))
    assert [row["status"] for row in found] == ["accepted", "rejected"]
