"""hftbacktest itself, and tapes of the real captures."""

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

import pytest

from dataflows.assembly.importing import import_files
from sources.importers import hftbacktest
from sources.instrument import Instrument

HFTBACKTEST = "hftbacktest==2.4.4"
CAPTURES = {"BTCUSDT": "btcusdt_20240808.gz", "ETHUSDT": "ethusdt_20240808.gz"}

Run = Callable[..., str]  # Python code and its arguments; gives what it prints


@pytest.fixture(scope="session")
def run_hftbacktest(request: pytest.FixtureRequest) -> Run:
    """Runs code that imports hftbacktest, in a process of its own.

    Where it is not installed its wheel alone is fetched: it asks for an older NumPy than this project has, and does
    with this one. A test that needs it skips where it cannot be had.
    """
    if importlib.util.find_spec("hftbacktest"):
        path = ""
    else:
        # The test run's cache is kept; no worker of it sees half of what another one unpacks.
        folder = Path(request.config.cache.mkdir("hftbacktest"))  # type: ignore[union-attr]
        path = str(folder / HFTBACKTEST)
        if not Path(path).is_dir():
            new = Path(mkdtemp(dir=folder))
            command = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "-q",
                "--no-deps",
                "-d",
                str(new / "wheel"),
                HFTBACKTEST,
            ]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                shutil.rmtree(new)
                pytest.skip(f"{HFTBACKTEST} is not installed and cannot be fetched: {done.stderr.strip()[-200:]}")
            for wheel in (new / "wheel").iterdir():
                with zipfile.ZipFile(wheel) as archive:
                    archive.extractall(new / "content")
            try:
                (new / "content").rename(path)
            except OSError:  # another worker was quicker
                assert Path(path).is_dir()
            shutil.rmtree(new)

    def run(code: str, *arguments: str) -> str:
        environment = {**os.environ, "PYTHONPATH": path} if path else None
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def real_tape(market_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tape of both captures of Binance USD-M."""
    tape = tmp_path_factory.mktemp("real") / "tape"
    for symbol, name in CAPTURES.items():
        instrument = Instrument("binance_futures", symbol)
        reader = partial(hftbacktest.read, instrument=instrument)
        import_files(tape, [market_data / "binance_usdm" / name], reader, instrument)
    return tape
