"""Placement as its users meet it: a model from tapes, a backtest with it, what it writes, and what is refused."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from bytewax.errors import BytewaxRuntimeError
from bytewax.run import cli_main
from typer.testing import CliRunner

from dataflows.assembly.backtest import prepare_backtest
from dataflows.assembly.estimating import estimate_placement
from dataflows.assembly.synthetic_tape import write_synthetic_tape
from dataflows.command_line.verbs import app
from dataflows.settings.model import settings_from
from operators.placement.model import as_market, model_in
from operators.placement.shortfall import shortfalls
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.model_folder import read_model
from sources.tape.reader import TapeReader
from tests.conftest import ROOT
from tests.dataflows.conftest import MIDNIGHT, SECOND
from tests.dataflows.test_backtest_resumption import Run
from tests.placement.paired import beyond, costs, grid_of

pytestmark = pytest.mark.slow

INSTRUMENTS = [Instrument("binance_futures", "BTCUSDT"), Instrument("bybit_linear", "ETHUSDT")]
MOMENTUM = {"strategy.name": "momentum", "strategy.size": 0.1, "strategy.enter": 1.5}


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tape, and a model of it."""
    root = tmp_path_factory.mktemp("market")
    write_synthetic_tape(root / "tape", INSTRUMENTS, 240 * SECOND, 3, start_ns=MIDNIGHT)
    write_synthetic_tape(root / "short", INSTRUMENTS, 30 * SECOND, 4, start_ns=MIDNIGHT - 15 * SECOND)  # two files
    estimate_placement(settings_from({"tape.path": str(root / "tape"), "train.path": str(root / "model")}))
    return root


def settings(market: Path, out: Path, **more: object) -> dict[str, object]:
    own = {key.replace("__", "."): value for key, value in more.items()}
    return {"tape.path": str(market / "short"), "backtest.path": str(out), **MOMENTUM, **own}


def traded(flags: dict[str, object], workers: int = 1) -> dict[str, pl.DataFrame]:
    run = prepare_backtest(settings_from(flags))
    cli_main(run.flow, workers_per_process=workers)
    run.commit()
    return read(Path(str(flags["backtest.path"])))


def read(out: Path) -> dict[str, pl.DataFrame]:
    names = [name for name in ("orders", "fills", "equity", "placements") if (out / name).exists()]
    tables = {name: pl.scan_parquet(out / name / "**/*.parquet", hive_partitioning=True).collect() for name in names}
    return {name: table.sort("exchange", "symbol", "ts", maintain_order=True) for name, table in tables.items()}


def test_the_same_tapes_give_the_same_model(market: Path, tmp_path: Path) -> None:
    flags = {"tape.path": str(market / "tape"), "train.path": str(tmp_path / "again")}
    report = estimate_placement(settings_from(flags))
    folder = read_model(market / "model")
    assert report["identity"] == folder.card.identity
    assert folder.card.instruments == tuple(map(str, INSTRUMENTS))
    assert folder.card.parameters["tapes"] == [f"{market / 'tape'}: {', '.join(map(str, INSTRUMENTS))}"]
    assert MIDNIGHT <= folder.card.trained_from < MIDNIGHT + SECOND
    for number in (0, 1):
        model = model_in(folder.arrays, number)
        assert model.steps.sum() > 5000
        market_ = as_market(model, 2.0, 5.0)
        assert market_.taker == pytest.approx(5e-4 * model.level[0])
    both = {"placement.tapes": [str(market / "tape"), str(market / "short")], "train.path": str(tmp_path / "both")}
    assert estimate_placement(settings_from(both))["identity"] != report["identity"]
    assert read_model(tmp_path / "both").card.rows > folder.card.rows


def test_a_base_install_can_train_it(market: Path) -> None:
    """No library of `tickwax[learn]` is asked for."""
    hidden = "import sys; [sys.modules.__setitem__(m, None) for m in ('jax', 'sklearn', 'lightgbm', 'scipy', 'optax')]"
    code = f"{hidden}; from learning import placement, model_writer; from dataflows.assembly import estimating"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stderr == ""


def test_what_cannot_be_trained(market: Path, tmp_path: Path) -> None:
    for tape, more, says in (
        ("short", {}, "at least 30 of each place are needed: take a longer tape"),
        ("tape", {"train.path": str(market / "model")}, "holds a model already"),
    ):
        flags = {"tape.path": str(market / tape), "train.path": str(tmp_path / "m"), **more}
        with pytest.raises(TickwaxError, match=says):
            estimate_placement(settings_from(flags))
    assert not (tmp_path / "m").exists()
    done = CliRunner().invoke(app, ["train", "ridge", str(market / "tape"), "--out", str(tmp_path / "m")])
    assert str(done.exception) == "placement.tapes: 'ridge' is not trained from tapes that are named so"


@pytest.mark.parametrize("method", ["peg", "mcts"])
def test_a_backtest_writes_what_was_decided(market: Path, tmp_path: Path, method: str) -> None:
    more = {"placement__method": method, "placement__model": str(market / "model"), "placement__simulations": 50}
    found = traded(settings(market, tmp_path / "one", **more))
    placements, fills = found["placements"], found["fills"]
    assert placements["action"].to_list().count("done") > 5
    assert (placements["visits_wait"].sum() > 0) == (method == "mcts")
    again = traded(settings(market, tmp_path / "two", **more), workers=2)
    for name, table in found.items():
        assert again[name].equals(table, null_equal=True), name
    for instrument in INSTRUMENTS:
        mine = (pl.col("exchange") == instrument.venue) & (pl.col("symbol") == instrument.symbol)
        p, f = ({c: t.filter(mine)[c].to_numpy() for c in t.columns} for t in (placements, fills))
        cost = shortfalls(p, f)
        # A parent's shortfall once more, from its definition.
        done = np.flatnonzero(cost.filled > 0.999)
        assert len(done) > 3
        for k in done[:3]:
            children = set(p["order_id"][p["parent_id"] == cost.parent[k]].tolist()) - {0}
            of = [i for i, order in enumerate(f["order_id"].tolist()) if order in children]
            size, start = f["size"][of].sum(), p["mid"][p["parent_id"] == cost.parent[k]][0]
            side = f["side"][of[0]]
            paid = (f["price"][of] * f["size"][of]).sum() / size
            assert cost.bp[k] == pytest.approx((side * (paid - start) + f["fee"][of].sum() / size) / start * 1e4)


def test_it_goes_on_where_it_was_broken_off(market: Path, tmp_path: Path) -> None:
    more = {**MOMENTUM, "placement.method": "mcts", "placement.model": str(market / "model")}
    more["placement.simulations"] = 50
    alone = traded({**settings(market, tmp_path / "alone"), **more})
    run = Run(tmp_path / "broken", market / "short", **more)
    with pytest.raises(BytewaxRuntimeError):
        run.start(1, 2)  # of four batches
    run.start(2)
    found = read(run.out)
    assert found.keys() == alone.keys()
    for name, table in alone.items():
        assert found[name].equals(table, null_equal=True), name


def test_orders_that_are_sent_as_they_are_write_what_they_always_wrote(market: Path, tmp_path: Path) -> None:
    assert "placements" not in traded(settings(market, tmp_path / "take", placement__method="take"))


def test_refusals(market: Path, tmp_path: Path) -> None:
    model = str(market / "model")
    for more, says in (
        ({"placement.method": "dq"}, r"placement\.method: 'dq' is not"),
        ({"placement.method": "dp"}, r"placement\.model: empty; dp decides with one, which `tickwax train placement"),
        ({"placement.model": str(tmp_path)}, r"placement\.model: .* holds no model\.json"),
        ({"placement.deadline": "1s", "placement.step": "300ms"}, r"placement\.deadline: 1s is not 1 to 10,000 times"),
        (
            {"placement.model": model, "placement.step": "500ms"},
            r"placement\.step: 500ms; the model in .* was estimated with 250ms",
        ),
        ({"placement.model": model, "features.sampling": "50ms"}, r"features\.sampling: 50ms; the model in"),
        ({"predict.model": model, "placement.simulations": 0}, r"placement\.simulations"),
    ):
        with pytest.raises(TickwaxError, match=says) as caught:
            prepare_backtest(settings_from({**settings(market, tmp_path / "no"), **more}))
        assert "\n" not in str(caught.value)
    other = tmp_path / "tape"
    write_synthetic_tape(other, [Instrument("binance_futures", "ETHUSDT")], 5 * SECOND, 1, start_ns=MIDNIGHT)
    flags = {**settings(market, tmp_path / "no"), "tape.path": str(other), "placement.model": model}
    with pytest.raises(TickwaxError, match=r"knows nothing of binance_futures:ETHUSDT, only binance_futures:BTCUSDT"):
        prepare_backtest(settings_from(flags))


def reader_of(root: Path, seconds: int, seed: int) -> TapeReader:
    """Of a tape of the first instrument, that no model was estimated on."""
    write_synthetic_tape(root, INSTRUMENTS[:1], seconds * SECOND, seed, start_ns=MIDNIGHT)
    return TapeReader(root, INSTRUMENTS[0])


def saved(model: Path, reader: TapeReader, method: str) -> dict[str, float]:
    """How many standard errors taking, at once and in parts, costs more than a method."""
    grid = grid_of(reader)
    market_ = as_market(model_in(read_model(model).arrays, 0), 2.0, 5.0)
    mine = costs(reader, grid, method, market_, float(grid.lot), (2.0, 5.0))
    assert not np.isnan(mine.bp[:-1]).any()  # the last ones may begin just before the tape ends
    more = {
        name: beyond(costs(reader, grid, name, None, float(grid.lot), (2.0, 5.0)), mine) for name in ("take", "twap")
    }
    return {name: each.value / each.error for name, each in more.items()}


def test_it_costs_less_than_taking(market: Path, tmp_path: Path) -> None:
    reader = reader_of(tmp_path / "tape", 130, 9)
    assert min(saved(market / "model", reader, "dp").values()) > 3.0


@pytest.mark.soak
def test_two_thousand_parents(market: Path, tmp_path: Path) -> None:
    """Against posting and following the price it is not held: docs/acting.md, 8, has what was found."""
    reader = reader_of(tmp_path / "tape", 10_530, 1)
    for method in ("dp", "mcts"):
        assert min(saved(market / "model", reader, method).values()) > 3.0
