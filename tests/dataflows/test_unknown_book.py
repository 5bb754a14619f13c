"""A foreign tape that begins with deltas: no book before a snapshot, said once with file and row, and counted."""

from pathlib import Path

import pyarrow as pa
import pytest

from operators.config import SECOND
from sinks.tape import TapeWriter
from sources.instrument import Instrument
from sources.tape.layout import data_files
from tests.dataflows.test_replay import table, told
from tests.oracle.script import Script

pytestmark = pytest.mark.slow

VERB = ("-c", "from dataflows.cli import main; main()")
INSTRUMENTS = [Instrument("bybit_linear", "BTCUSDT"), Instrument("binance_futures", "BTCUSDT")]
T = 1_767_571_200 * SECOND


def tape(root: Path, script: Script) -> None:
    with TapeWriter(root, "foreign") as writer:
        for instrument in INSTRUMENTS:
            writer.write(instrument, script.batch())


def quotes(script: Script, first: int, count: int = 50) -> Script:
    """Messages that look like a whole book each; two rows a message."""
    for i in range(first, first + count):
        script.delta(T + i * SECOND // 10, [(99.0, 1.0 + i)], [(101.0, 2.0)])
    return script


@pytest.mark.parametrize("extra", [(), ("-w", "2"), ("--processes", "2"), ("--recovery", "R")], ids=" ".join)
@pytest.mark.parametrize("begins", ["at the start", "after a reset"])
def test_rows_begin_with_the_snapshot(start, tmp_path, begins, extra):
    script = Script()
    if begins == "after a reset":
        script.snapshot(T, [(90.0, 1.0)], [(91.0, 1.0)]).reset(T)
    stray = len(script.rows)
    quotes(script, 0).snapshot(T + 60 * SECOND // 10, [(98.0, 1.0)], [(102.0, 1.0)])
    for i in range(61, 100):
        script.delta(T + i * SECOND // 10, [(98.0, 1.0 + i)])
    tape(tmp_path / "tape", script)
    paths = ("--tape", tmp_path / "tape", "--features", tmp_path / "features")
    flags = [tmp_path / "R" if flag == "R" else flag for flag in extra]
    process = start({}, *VERB, "replay", *paths, *flags)
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    # A line an instrument, whichever process reads it.
    files = [data_files(tmp_path / "tape", instrument)[0] for instrument in INSTRUMENTS]
    assert sorted(told(stderr)) == sorted(
        f"tickwax: {file}: row {stray}: a delta without a snapshot before it; until the next snapshot there is no book"
        for file in files
    )
    assert "200 delta rows without a snapshot before them" in " ".join(stdout.split())
    for instrument in INSTRUMENTS:
        rows = table(tmp_path / "features", instrument)
        ts = rows["ts"].cast(pa.int64()).to_pylist()
        assert ts == [T + i * SECOND // 10 for i in range(60, 99)]
        assert set(rows["bid_price"].to_pylist()) == {98.0}


def test_a_tape_of_deltas_alone_gives_no_row(start, tmp_path):
    tape(tmp_path / "tape", quotes(Script(), 0, 150))
    process = start({}, *VERB, "replay", "--tape", tmp_path / "tape", "--features", tmp_path / "features")
    stdout, stderr = process.communicate(timeout=120)
    assert (process.returncode, stdout) == (2, "")
    lines = told(stderr)
    assert [line.rpartition(": ")[2][:33] for line in lines[:2]] == ["a delta without a snapshot before"] * 2
    assert "no feature row: the 600 tape rows that were read complete none; a range needs a snapshot" in lines[2]
    assert list((tmp_path / "features").rglob("*.parquet")) == []


@pytest.mark.parametrize("symbol", ["A?B", "A[1]", "A%B"])
def test_a_folder_whose_symbol_patterns_misread_is_named(start, tmp_path, symbol):
    tape(tmp_path / "tape", quotes(Script().snapshot(T, [(90.0, 1.0)], [(110.0, 1.0)]), 1))
    folder = tmp_path / "tape" / "exchange=bybit_linear" / "symbol=BTCUSDT"
    folder.rename(folder.with_name(f"symbol={symbol}"))
    arguments = ("replay", "--tape", tmp_path / "tape", "--features", tmp_path / "features")
    process = start({}, *VERB, *arguments)
    stderr = process.communicate(timeout=120)[1]
    assert process.returncode == 2
    (line,) = told(stderr)
    assert line.startswith(f"tickwax: --tape: {tmp_path / 'tape'}: instrument 'bybit_linear:{symbol}': expected ")
    assert list((tmp_path / "features").rglob("*.parquet")) == []
    # It stops nothing that was not asked for.
    process = start({}, *VERB, *arguments, "--symbols", "binance_futures:BTCUSDT")
    assert process.wait(120) == 0
