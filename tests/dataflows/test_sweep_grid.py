"""The file that says which settings a sweep varies: what it gives, and how it is refused."""

import re
from pathlib import Path

import pytest

from dataflows.assembly.sweep import prepare_sweep
from dataflows.settings.flags import settings_of
from dataflows.settings.sweep_grid import MOST_RUNS, read_grid
from operators.execution.run_statistics import STATISTICS
from sources.errors import TickwaxError
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings_of({})


BTC = "binance_futures:BTCUSDT"
BUYER = """
class Buyer:
    columns, rows = (), 0

    def decide(self, view, orders):
        self.rows += 1
        if self.rows % 10 == 1:
            orders.market(1, view.lot)
"""
HOLD = '[strategy]\nname = "hold"\n[placement]\n'


def written(text: str) -> Path:
    path = Path("grid.toml")
    path.write_text(text)
    return path


def test_every_combination_the_last_key_first():
    grid = read_grid(
        written(
            'symbols = ["v:A"]\n[strategy]\nname = "hold"\nsize = [1, 2.5]\n[execution]\none_clock = [true, false]\n'
        )
    )
    assert grid.symbols == ["v:A"]
    assert grid.runs == 4
    assert list(grid.combinations()) == [
        {"strategy.name": "hold", "strategy.size": size, "execution.one_clock": clock}
        for size in (1, 2.5)
        for clock in (True, False)
    ]


def test_tables_inside_are_keys():
    grid = read_grid(written("[execution.fees.v]\nmaker = [1, 2]\ntaker = 3\n"))
    assert grid.values == {"execution.fees.v.maker": [1, 2], "execution.fees.v.taker": [3]}


def test_one_and_true_are_two_values():
    assert read_grid(written("[strategy]\nx = [1, true]\n")).runs == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there is nothing to vary; it needs keys in [strategy], [execution] or [placement]"),
        ('symbols = ["v:A", "v:B"]', "there is nothing to vary"),
        ("[features]\nsampling = [1]", "features: unknown key; a sweep has symbols, strategy, execution, placement"),
        ("strategy = 3", "strategy: 3 is not a table of keys with lists of values"),
        ("[strategy]\nsize = []", "strategy.size: [] is empty; at least one value is needed"),
        ("symbols = []\n[strategy]\nsize = 1", "symbols: [] is empty"),
        ("symbols = [1]\n[strategy]\nsize = 1", "symbols: 1 is not an instrument such as venue:SYMBOL"),
        ("[strategy]\nsize = [1, [2]]", "strategy.size: [2] is not a finite number of 64 bits, a text, true or false"),
        ("[strategy]\nsize = [nan]", "strategy.size: nan is not a finite number"),
        ("[strategy]\nsize = [9223372036854775808]", "strategy.size: 9223372036854775808 is not a finite number"),
        ("[strategy]\nsize = [2026-01-01]", "strategy.size: datetime.date(2026, 1, 1) is not a finite number"),
        ("[strategy]\nsize = [1, 1.0]", "strategy.size: 1.0 stands twice"),
        ('[strategy]\n"a.b" = 1', "strategy: 'a.b' is no key"),
        ("placement = 3", "placement: 3 is not a table of keys with lists of values"),
        ('[placement]\ntapes = ["a"]', "placement.tapes: `tickwax train placement` estimates a model from them"),
        ("[placement]\nsize = [1]", "placement.size: `tickwax train placement` estimates a model with it"),
        ("[execution.grids.x]\ntick = [1]", "execution.grids: a grid belongs to its instrument"),
        (
            "[strategy]\n" + "\n".join(f"k{n} = {list(range(101))}" for n in range(2)),
            f"101 × 101 = 10,201 combinations; at most {MOST_RUNS:,}",
        ),
    ],
)
def test_a_wrong_grid_is_refused(text, says):
    with pytest.raises(TickwaxError) as refusal:
        read_grid(written(text))
    assert str(refusal.value).startswith(f"--sweep: grid.toml: {says}")
    assert "\n" not in str(refusal.value)


def test_a_file_that_cannot_be_read_is_refused():
    with pytest.raises(TickwaxError, match=r"^--sweep: cannot read nowhere.toml: No such file"):
        read_grid(Path("nowhere.toml"))
    with pytest.raises(TickwaxError, match=r"^--sweep: grid.toml is not TOML: "):
        read_grid(written("strategy"))
    Path("grid.toml").write_bytes(b"\xff")
    with pytest.raises(TickwaxError, match=r"^--sweep: grid.toml is not UTF-8 text$"):
        read_grid(Path("grid.toml"))


@pytest.mark.parametrize(
    ("text", "flags", "says"),
    [
        ('[strategy]\nname = ["hold", "nope"]', {}, "--sweep: grid.toml: strategy.name: 'nope' is none of hold, "),
        ('[strategy]\nname = "hold"\nsise = [1]', {}, "--sweep: grid.toml: strategy.sise: hold has no such parameter"),
        ('[strategy]\nname = "hold"\nsize = ["a"]', {}, "--sweep: grid.toml: strategy: strategy.name = hold, "),
        ('[strategy]\nname = "glft"\ngamma = [1, -1]', {}, "--sweep: grid.toml: strategy.gamma: -1 is not positive"),
        ('[strategy]\nname = "momentum"\ncolumn = ["x"]', {}, "--sweep: grid.toml: strategy.name: momentum: "),
        ("[strategy]\nsize = [1]", {}, "--sweep: grid.toml: strategy.name: name a strategy, or a schedule"),
        ('[execution]\nqueue = ["best"]', {}, "--sweep: grid.toml: execution.queue: 'best' is not one of power, "),
        ('[execution]\nqueu = ["power"]', {}, "--sweep: grid.toml: execution.queu: unknown key; did you mean queue?"),
        ("[execution]\nqueue_power = [1, 99]", {"strategy.name": "hold"}, "--sweep: grid.toml: execution.queue_power"),
        ('[execution]\nlatency_entry = [5]', {}, "--sweep: grid.toml: execution.latency_entry: 5 is not a duration"),
        (HOLD + 'method = ["take", "pegg"]', {}, "--sweep: grid.toml: placement.method: 'pegg' is not one of"),
        (HOLD + 'step = ["3s"]', {}, "--sweep: grid.toml: placement.deadline: 10s is not 1 to 10,000 times"),
        (HOLD + 'method = ["peg", "dp"]', {}, "--sweep: grid.toml: placement.model: empty; dp decides with one"),
        (HOLD + 'model = ["nowhere"]', {}, "--sweep: grid.toml: placement.model: nowhere"),
        (HOLD + "simulations = [0]", {}, "--sweep: grid.toml: placement.simulations: 0 is not at least 1"),
        (HOLD + "stepp = [1]", {}, "--sweep: grid.toml: placement.stepp: unknown key; did you mean step?"),
        (HOLD + 'method = "peg"', {"placement.method": "twap"}, "--sweep: grid.toml: placement.method: it is given on"),
        ('[strategy]\nname = "hold"', {"strategy.name": "peg"}, "--sweep: grid.toml: strategy.name: it is given on"),
        ('symbols = "x:Y"\n[strategy]\nname = "hold"', {"symbols": ["x:Z"]}, "--sweep: grid.toml: symbols: it is giv"),
        ('symbols = "binance_futures:NO"\n[strategy]\nname = "hold"', {}, "symbols: binance_futures:NO is not on "),
    ],
)  # fmt: skip
def test_values_are_checked_before_anything_runs(synthetic_tape_root, tmp_path, text, flags, says):
    given = {"tape.path": str(synthetic_tape_root), "backtest.path": str(tmp_path / "out")}
    with pytest.raises(TickwaxError) as refusal:
        prepare_sweep({**given, **flags}, read_grid(written(text)))
    assert str(refusal.value).startswith(says)
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "out").exists()


def test_ways_of_working_orders_are_compared(synthetic_tape_root, tmp_path, monkeypatch):
    """An order that rests pays the maker's fee, for what is done before its deadline."""
    (tmp_path / "own_buyer.py").write_text(BUYER)
    monkeypatch.syspath_prepend(tmp_path)
    text = '[strategy]\nname = "own_buyer:Buyer"\n[placement]\nmethod = ["take", "peg"]\ndeadline = ["1s", "4s"]'
    given = {"tape.path": str(synthetic_tape_root), "backtest.path": str(tmp_path / "out"), "symbols": [BTC]}
    sweep = prepare_sweep(given, read_grid(written(text)))
    assert not {"placement.method", "placement.deadline"} - set(sweep.identity.settings)
    assert len(sweep.run(1)) == 1
    (found,) = sweep.rows.values()
    paid = [row["fees"] / row["turnover"] * 1e4 for row in found]
    assert paid[:2] == pytest.approx([5.0, 5.0])
    assert 1.99 < paid[3] <= paid[2] < 5.0


def test_the_page_names_every_statistic():
    page = (ROOT / "docs" / "backtesting.md").read_text()
    told = set(re.findall(r"`(\w+)`", page))
    for name in (s.name for s in STATISTICS):
        assert name in told or name.startswith("markout_"), name
    assert f"{MOST_RUNS:,}".replace(",", " ") in page
