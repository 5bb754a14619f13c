"""What the verbs print: whole at any width, on any terminal, and never the reason of an exit code."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from dataflows.assembly.importing import ImportResult
from dataflows.assembly.synthetic_tape import write_synthetic_tape
from dataflows.command_line.jobs.import_summary import print_summary
from dataflows.reports import terminal
from dataflows.reports.text_table import TextTable
from sources.importers.stats import ImportStats
from sources.instrument import Instrument
from tests.commands import launch
from tests.commands import run as command
from tests.dataflows.conftest import MIDNIGHT, SECOND, environment

pytestmark = pytest.mark.slow

LONG = Instrument("binance_futures", "1000000MOGUSDT")
CHINESE = Instrument("bybit_linear", "币安人生USDT")
number = count()
TICKWAX = (sys.executable, "-c", "from dataflows.cli import main; main()")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that reads as markup, with a tape of instruments with long names and names that are not ASCII."""
    folder = tmp_path_factory.mktemp("verbs") / "run[/1]"
    write_synthetic_tape(folder / "tape", [LONG, CHINESE], 10 * SECOND, 7, start_ns=MIDNIGHT)
    return folder


def without_columns() -> dict[str, str]:
    around = environment({})
    around.pop("COLUMNS", None)
    return around


def run(*arguments: object, **options: object) -> "subprocess.CompletedProcess[str]":
    around = without_columns() | options.pop("env", {})  # type: ignore[operator]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return command([*TICKWAX, *arguments], env=around, encoding="utf-8", **pipes)


def on_a_terminal(columns: int, *arguments: object) -> str:
    """What a terminal of so many columns shows of standard output."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    try:
        process = launch([*TICKWAX, *arguments], stdout=theirs, stderr=subprocess.DEVNULL, env=without_columns())
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 65536):
                shown += part
        except OSError:  # the other end is closed
            pass
        assert process.wait(60) == 0
    finally:
        os.close(ours)
    return shown.decode().replace("\r\n", "\n")


def assert_readable(shown: str, whole: str, columns: int) -> None:
    """Everything that a pipe is given is there, no line is longer than the terminal, nothing is cut."""
    assert max(map(cell_len, shown.splitlines())) <= columns
    assert "…" not in shown
    table = [line for line in whole.splitlines() if "  " in line.strip()]
    assert len(table) > 1
    for line in table:
        for value in re.split(r"  +", line.strip().removeprefix("instrument").removeprefix("data set")):
            assert any(value in line for line in shown.splitlines()), value


def orders(folder: Path) -> list[object]:
    return ["optimal-d", "--tape", folder / "tape", "--out", folder / "orders.parquet", "--sampling", "20ms"]


def replay(folder: Path) -> list[object]:
    return ["replay", "--tape", folder / "tape", "--features", folder / "f", "--books", folder / "b", "--overwrite"]


def synth(folder: Path) -> list[object]:
    return ["synth", "--tape", folder / f"other{next(number)}", "--symbols", f"{LONG},{CHINESE}", "--span", "2s"]


@pytest.mark.slow
@pytest.mark.parametrize("verb", [orders, synth, replay])
@pytest.mark.parametrize("columns", [80, 60])
def test_every_table_is_whole_on_a_terminal_and_in_a_pipe(verb, columns: int, folder: Path, monkeypatch) -> None:
    monkeypatch.chdir(folder.parent)
    piped = run(*verb(Path(folder.name)))
    assert piped.returncode == 0, piped.stderr
    assert_readable(on_a_terminal(columns, *verb(Path(folder.name))), piped.stdout, columns)


def test_a_search_tells_everything_of_a_series_in_one_line_of_a_pipe(folder: Path) -> None:
    lines = run(*orders(folder)).stdout.splitlines()
    assert lines[0].split()[:7] == ["instrument", "series", "d", "stationary", "ADF", "p", "memory"]
    assert [line.split()[:2] for line in lines[1:5]] == [
        [str(i), series] for i in (LONG, CHINESE) for series in ("price", "volume")
    ]
    assert all(line.split()[3] in ("yes", "no") for line in lines[1:5])


@pytest.mark.parametrize("columns", [80, 60, None])
def test_an_import_tells_everything(columns: int | None, monkeypatch, capsys) -> None:
    monkeypatch.setattr(terminal, "width", lambda: columns)
    stats = ImportStats()
    for instrument in (LONG, CHINESE):
        of = stats.of(instrument)
        of.frames, of.rows, of.trades, of.snapshots, of.gaps, of.resets, of.bad = 108_123, 444_567, 99, 3, 2, 5, 7
        of.first_receive_ts, of.last_receive_ts = MIDNIGHT, MIDNIGHT + 3600 * SECOND
    print_summary(ImportResult(stats, [], [Path("run[/1]/capture.gz")]))
    out = capsys.readouterr().out
    lines = out.splitlines()
    for value in (str(LONG), str(CHINESE), "108,123", "444,567", "2026-01-05 00:00:00", "2026-01-05 01:00:00"):
        assert value in out
    assert "already imported: run[/1]/capture.gz" in lines
    assert columns is None or max(map(cell_len, lines)) <= columns
    assert len(lines) == 4 if columns is None else len(lines) > 4


words = st.text(st.sampled_from("aB1:._-币生é "), min_size=1, max_size=24).map(str.strip).filter(bool)


@given(st.data(), st.integers(1, 8), st.integers(1, 2), st.integers(0, 5), st.integers(1, 120))
def test_no_value_is_cut_at_any_width(data, columns: int, keys: int, rows: int, width: int) -> None:
    keys = min(keys, columns)
    row = st.lists(words, min_size=columns, max_size=columns)
    table = TextTable(data.draw(row), keys=keys)
    for _ in range(rows):
        table.add(*data.draw(row))
    lines = table.lines(width)
    for row in table.rows:
        at = 0
        for value in row[:keys]:  # in this order
            at = next(n for n in range(at, len(lines)) if value in lines[n])
        for title, value in zip(table.titles[keys:], row[keys:], strict=True):
            assert any(value in line for line in lines)
            assert any(title in line for line in lines)
    parts = {row[0] for row in table.rows}
    parts |= {f"{t} {v}" for row in table.rows for t, v in zip(table.titles[1:keys], row[1:keys], strict=True)}
    parts |= {f"  {t} {v}" for row in table.rows for t, v in zip(table.titles[keys:], row[keys:], strict=True)}
    assert all(cell_len(line) <= width or line in parts for line in lines)
    assert len(table.lines(None)) == rows + 1


class TestWhereItIsPrinted:
    """The work is done, so the exit code is 0, whatever becomes of the summary."""

    def done(self, folder: Path, name: str, **options: object) -> "subprocess.CompletedProcess[str]":
        done = run("replay", "--tape", folder / "tape", "--features", folder / name, **options)
        assert done.returncode == 0, done.stderr
        assert len(list((folder / name).rglob("*.parquet"))) == 2
        return done

    def test_a_terminal_that_knows_ascii_only(self, folder: Path) -> None:
        done = self.done(folder, "ascii", env={"PYTHONIOENCODING": "ascii"})
        assert " M rows/s - " in done.stdout
        assert " x real time" in done.stdout
        assert "run[/1]/ascii" in done.stdout

    def test_posix(self, folder: Path) -> None:
        env = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        done = run("synth", "--tape", folder / "posix", "--symbols", LONG, "--span", "1s", env=env)
        assert (done.returncode, done.stderr) == (0, "")
        named = run(*synth(folder), env=env)
        assert named.returncode == 2
        assert named.stderr.endswith("signs that the encoding of this locale does not know; LC_ALL=C.UTF-8 sets one "
                                     "that does\n")  # fmt: skip

    @pytest.mark.parametrize("closed", [(1,), (2,), (1, 2), (0, 1, 2)])
    def test_closed(self, folder: Path, closed: tuple[int, ...]) -> None:
        name = "closed" + "".join(map(str, closed))
        words = [*TICKWAX, "replay", "--tape", folder / "tape", "--features", folder / name]
        shut = " ".join(f"{n}>&-" for n in closed)
        done = subprocess.run(["sh", "-c", f'exec "$@" {shut}', "sh", *map(str, words)], env=environment({}))
        assert done.returncode == 0
        files = list((folder / name).rglob("*.parquet"))
        assert len(files) == 2
        assert all(file.read_bytes()[:4] == b"PAR1" for file in files)

    def test_a_full_disk(self, folder: Path) -> None:
        with Path("/dev/full").open("w") as full:
            done = self.done(folder, "full", stdout=full)
            assert done.stderr == (
                "tickwax: standard output: No space left on device; not all of what was said is there\n"
            )
            self.done(folder, "full_too", stdout=full, stderr=full)

    def test_a_reader_that_has_left(self, folder: Path) -> None:
        read, write = os.pipe()
        os.close(read)
        done = self.done(folder, "left", stdout=write)
        os.close(write)
        assert done.stderr == ""

    def test_settings_that_could_not_be_written_are_not_there(self) -> None:
        with Path("/dev/full").open("w") as full:
            done = run("settings", stdout=full)
        assert done.returncode == 1
        assert done.stderr == "tickwax: standard output: No space left on device; not all of what was said is there\n"

    @pytest.mark.parametrize("streams", ["1>&-", "1>&- 2>&-", ">/dev/full"])
    def test_a_dataflow_of_bytewax(self, folder: Path, streams: str) -> None:
        name = "bytewax" + re.sub(r"\W", "", streams)
        settings = {"tape.path": folder / "tape", "features.path": folder / name}
        command = f"exec {sys.executable} -m bytewax.run dataflows.replay {streams}"
        assert subprocess.run(["sh", "-c", command], env=environment(settings)).returncode == 0
        assert len(list((folder / name).rglob("*.parquet"))) == 2

    def test_signs_that_would_move_a_cursor_are_written_out(self, folder: Path) -> None:
        done = run("replay", "--tape", f"{folder}/\x1b[2J\u202egnp")
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "\\u001b[2J\\u202egnp" in done.stderr
