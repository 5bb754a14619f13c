"""A backtest with a recovery directory: broken off anywhere, it goes on, and gives what one left alone gives."""

import signal
import subprocess
import sys
import time
from copy import copy
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from bytewax.errors import BytewaxRuntimeError
from bytewax.recovery import init_db_dir
from bytewax.run import cli_main

from dataflows.assembly.backtest import Backtest, prepare_backtest
from dataflows.runtime.engine_options import Recovery
from dataflows.settings.model import load_settings
from sources.errors import TickwaxError
from tests.commands import launch
from tests.dataflows.breaking_off import run_recoverable
from tests.dataflows.conftest import INSTRUMENTS, environment
from tests.dataflows.test_paper_rules import store_of
from tests.kills import ROOT, changed

pytestmark = pytest.mark.slow


class Run:
    """One backtest and its folders."""

    def __init__(self, folder: Path, tape: Path, **settings: object) -> None:
        self.store = folder / "store"
        self.store.mkdir(parents=True)
        init_db_dir(self.store, 1)
        self.out = folder / "out"
        self.settings: dict[str, object] = {"tape.path": str(tape), "backtest.path": str(self.out)}
        self.settings |= {"strategy.name": "glft", "strategy.size": "0.01"} | settings

    def start(self, workers: int = 1, after: int | None = None) -> Backtest:
        """In this process; breaks off after so many batches."""
        run = prepare_backtest(load_settings(self.settings), recovery=Recovery(self.store))
        return run_recoverable(run, self.store, workers, after)


def read(out: Path) -> dict[str, pl.DataFrame]:
    names = [name for name in ("orders", "fills", "equity", "episodes", "applied") if (out / name).exists()]
    tables = {name: pl.scan_parquet(out / name / "**/*.parquet", hive_partitioning=True).collect() for name in names}
    return {name: table.sort("exchange", "symbol", "ts", maintain_order=True) for name, table in tables.items()}


def run_through(tape: Path, out: Path, **settings: object) -> dict[str, pl.DataFrame]:
    """What a run gives that nothing breaks off."""
    settings |= {"tape.path": str(tape), "backtest.path": str(out), "strategy.name": "glft"}
    run = prepare_backtest(load_settings(settings | {"strategy.size": "0.01"}))
    cli_main(run.flow)
    run.commit()
    tables = read(out)
    assert all(table["symbol"].n_unique() == len({i.symbol for i in INSTRUMENTS}) for table in tables.values())
    return tables


@pytest.fixture(scope="module")
def alone(synthetic_tape_root, tmp_path_factory) -> dict[str, pl.DataFrame]:
    tables = run_through(synthetic_tape_root, tmp_path_factory.mktemp("alone"))
    assert len(tables["episodes"])
    return tables


def check(run: Run, alone: dict[str, pl.DataFrame]) -> None:
    there = read(run.out)
    for name, table in alone.items():
        assert there[name].equals(table, null_equal=True)
    assert list(run.out.rglob("*.journal")) == []


@pytest.mark.parametrize("plan", [[(1, 0)], [(1, 2), (3, 1), (2, 0)], [(2, 4)]])
def test_broken_off_and_gone_on_with_other_workers(synthetic_tape_root, tmp_path, alone, plan):
    run = Run(tmp_path, synthetic_tape_root)
    for workers, after in plan:
        with pytest.raises(BytewaxRuntimeError):
            run.start(workers, after)
        assert list(run.out.rglob("*.parquet")) == []
    finished = run.start(2)
    check(run, alone)
    if sum(after for _, after in plan) >= 3:
        assert finished.progress.rows < sum(reader.rows for reader in finished.readers)
    assert run.start(1).progress.rows == 0  # nothing is left to do
    check(run, alone)


@pytest.mark.soak
def test_killed_twice_and_gone_on_with(synthetic_tape_root, tmp_path, alone):
    run = Run(tmp_path, synthetic_tape_root)
    command = [sys.executable, "-m", "bytewax.run", "dataflows.backtest", "-r", str(run.store), "-s", "0", "-b", "0"]

    def start() -> subprocess.Popen[str]:
        around = environment(run.settings) | {"PYTHONPATH": str(ROOT)}
        return launch(command, stderr=subprocess.PIPE, text=True, env=around, cwd=ROOT)

    for _ in range(2):
        before, process = changed(tmp_path / "out" / ".equity.resume"), start()
        while process.poll() is None and changed(tmp_path / "out" / ".equity.resume") == before:
            time.sleep(0.002)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    process = start()
    _, told = process.communicate(timeout=250)
    assert process.returncode == 0, told
    check(run, alone)


def test_what_rules_did_is_gone_on_with(synthetic_tape_root, tmp_path):
    rules = {"rules.store": str(tmp_path / "rules"), "rules.version": store_of(tmp_path / "rules")}
    alone = run_through(synthetic_tape_root, tmp_path / "alone", **rules)
    assert len(alone["applied"])
    run = Run(tmp_path, synthetic_tape_root, **rules)
    for after in (4, 4):
        with pytest.raises(BytewaxRuntimeError):
            run.start(1, after)
    run.start(2)
    check(run, alone)


def test_refusals(synthetic_tape_root, tmp_path):
    run = Run(tmp_path, synthetic_tape_root)
    with pytest.raises(BytewaxRuntimeError):
        run.start(1, 3)
    journals = [path for path in run.out.rglob("*.journal") if path.parent.name == ".equity.resume"]
    content = journals[0].read_bytes()
    journals[0].unlink()
    with pytest.raises(TickwaxError, match="rows are missing that the recovery directory counts on"):
        run.start()
    journals[0].write_bytes(content)
    with pytest.raises(TickwaxError, match=r"another run: strategy\.size was 0\.01, and is 0\.02"):
        _again(run, {"strategy.size": "0.02"}).start()
    own = _again(run, {"strategy.name": f"{__name__}:InPython"}, but="strategy.size")
    with pytest.raises(TickwaxError, match="InPython is written in Python, so its state cannot be kept"):
        own.start()


class InPython:
    columns = ()

    def decide(self, view: Any, orders: Any) -> None:
        raise AssertionError("is not asked")


def _again(run: Run, changes: dict[str, object], but: str = "") -> Run:
    """The same folders, other settings."""
    other = copy(run)
    other.settings = {key: value for key, value in (run.settings | changes).items() if key != but}
    return other
