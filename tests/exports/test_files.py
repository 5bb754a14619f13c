"""``tickwax export hftbacktest`` and ``export csv``: files that appear whole or not at all, of a range, for others."""

import errno
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from dataflows.assembly.export_csv import export_csv
from dataflows.assembly.export_hftbacktest import export_hftbacktest
from dataflows.assembly.importing import import_files
from dataflows.command_line.app import app
from dataflows.command_line.verbs import exporting, synth  # noqa: F401  # adds the verbs
from operators.hft_events import BUY, DEPTH_CLEAR_EVENT, DEPTH_EVENT, DEPTH_SNAPSHOT_EVENT, LOCAL
from operators.known_levels import KnownLevels
from sinks.npz import NpzWriter
from sinks.tape import TapeWriter
from sinks.tardis_csv import TardisWriter
from sources.errors import TickwaxError
from sources.importers import tardis
from sources.instrument import Instrument
from sources.tape.batch import DELTA, RESET, SNAPSHOT, TRADE, TapeBatch, concat, tape_batch
from sources.tape.reader import TapeReader

BTC, ETH = Instrument("binance_futures", "BTCUSDT"), Instrument("bybit_linear", "ETHUSDT")
NAMES = {
    "hftbacktest": ["binance_futures-BTCUSDT.npz", "bybit_linear-ETHUSDT.npz"],
    "csv": [
        f"{exchange}_{kind}_2026-01-05_{symbol}.csv.gz"
        for exchange, symbol in (("binance-futures", "BTCUSDT"), ("bybit", "ETHUSDT"))
        for kind in ("incremental_book_L2", "trades")
    ],
}
EXPORTS: dict[str, Callable[..., object]] = {
    "hftbacktest": partial(export_hftbacktest, compress=True, wait=False),
    "csv": export_csv,
}
WRITERS = {"hftbacktest": NpzWriter, "csv": TardisWriter}
START, END = "2026-01-05T00:00:10Z", "2026-01-05T00:00:20Z"


def run(*words: object) -> str:
    result = CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def rows_of(tape: Path, instrument: Instrument) -> TapeBatch:
    return concat(list(TapeReader(tape, instrument).batches()))


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "tape"
    run("synth", "--tape", path, "--symbols", f"{BTC},{ETH}", "--span", "30s")
    return path


@pytest.mark.parametrize("kind", EXPORTS)
class TestFiles:
    def test_one_line_and_a_table(self, tape: Path, tmp_path: Path, kind: str) -> None:
        said = run("export", kind, "--tape", tape, "--out", tmp_path / "out")
        assert names(tmp_path / "out") == NAMES[kind]
        assert names(tmp_path) == ["out"]
        rows = sum(rows_of(tape, instrument).rows for instrument in (BTC, ETH))
        assert f"{rows:,} tape rows in" in said
        assert f" {len(NAMES[kind])} " in said

    def test_symbols_are_chosen(self, tape: Path, tmp_path: Path, kind: str) -> None:
        run("export", kind, "--tape", tape, "--out", tmp_path / "out", "--symbols", "bybit_linear:*")
        assert names(tmp_path / "out") == [name for name in NAMES[kind] if "ETHUSDT" in name]

    def test_what_is_there_stays(self, tape: Path, tmp_path: Path, kind: str) -> None:
        out = tmp_path / "out"
        words = ("export", kind, "--tape", tape, "--out", out)
        run(*words)
        first = {name: (out / name).read_bytes() for name in NAMES[kind]}
        with pytest.raises(TickwaxError, match=r"is there already; name another folder, or replace it by --overwrite"):
            run(*words, "--start", START)
        (out / "notes.txt").write_text("mine")
        assert {name: (out / name).read_bytes() for name in NAMES[kind]} == first
        run(*words, "--overwrite", "--start", START)
        assert names(out) == [*NAMES[kind], "notes.txt"]
        assert all((out / name).read_bytes() != content for name, content in first.items())
        run(*words, "--overwrite")
        assert {name: (out / name).read_bytes() for name in NAMES[kind]} == first

    def test_an_interruption_leaves_nothing(self, tape: Path, tmp_path: Path, kind: str) -> None:
        readers = [TapeReader(tape, instrument) for instrument in (BTC, ETH)]

        def interrupt(instrument: Instrument, rows: int) -> None:
            if instrument == ETH:  # the files of the first are finished
                signal.raise_signal(signal.SIGINT)

        with pytest.raises(KeyboardInterrupt):
            EXPORTS[kind](readers, tmp_path / "out", overwrite=False, progress=interrupt)
        assert names(tmp_path) == []

    def test_a_full_disk_leaves_what_was_there(
        self, tape: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        out = tmp_path / "out"
        run("export", kind, "--tape", tape, "--out", out)
        first = {name: (out / name).read_bytes() for name in NAMES[kind]}

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(WRITERS[kind], "write", full)
        with pytest.raises(TickwaxError, match=r"^cannot write to .*out: No space left on device$"):
            run("export", kind, "--tape", tape, "--out", out, "--overwrite")
        assert {name: (out / name).read_bytes() for name in NAMES[kind]} == first
        assert names(tmp_path) == ["out"]

    @pytest.mark.parametrize(
        ("out", "said"),
        [
            ("tape", "holds a tape, not (csv|hftbacktest) files; name another folder"),
            ("tape/out", "lies inside the data set .*; name a folder outside of it"),
            (".", "holds the data set .*tape; every data set needs a folder of its own"),
            ("file", "is not a folder"),
            ("", "is not the path of a folder"),
        ],
    )
    def test_folders_that_are_refused(self, tmp_path: Path, kind: str, out: str, said: str) -> None:
        run("synth", "--tape", tmp_path / "tape", "--symbols", BTC, "--span", "1s")
        (tmp_path / "file").touch()
        with pytest.raises(TickwaxError, match=f"^--out: .*{said}$"):
            run("export", kind, "--tape", tmp_path / "tape", "--out", tmp_path / out if out else "", "--overwrite")
        assert names(tmp_path) == ["file", "tape"]

    def test_a_range_without_rows(self, tape: Path, tmp_path: Path, kind: str) -> None:
        with pytest.raises(TickwaxError, match="the tape ends before it"):
            run("export", kind, "--tape", tape, "--out", tmp_path / "out", "--start", "2027-01-01T00:00:00Z")
        assert names(tmp_path) == []


def test_a_range_of_events_begins_with_its_book(tape: Path, tmp_path: Path) -> None:
    run("export", "hftbacktest", "--tape", tape, "--out", tmp_path, "--symbols", BTC, "--start", START, "--end", END)
    events = np.load(tmp_path / NAMES["hftbacktest"][0])["data"]
    rows = rows_of(tape, BTC)
    first, stop = (int(np.datetime64(at.removesuffix("Z"), "ns").astype(int)) for at in (START, END))
    lead, inside = int((rows.receive_ts < first).sum()), int((rows.receive_ts < stop).sum())
    book = KnownLevels()
    book.apply(rows.slice(0, lead))
    levels = book.snapshot(0, 0, 0)
    what = events["ev"] & 0xFF
    assert (what == DEPTH_SNAPSHOT_EVENT).sum() == levels.rows > 100
    assert len(events) == levels.rows + 2 + inside - lead
    assert what[0] == DEPTH_CLEAR_EVENT

    left: dict[tuple[int, float], float] = {}
    for ev, px, qty in zip(events["ev"].tolist(), events["px"].tolist(), events["qty"].tolist(), strict=True):
        assert ev & LOCAL
        if ev & 0xFF in (DEPTH_EVENT, DEPTH_SNAPSHOT_EVENT):
            left[1 if ev & BUY else -1, px] = qty
    book.apply(rows.slice(lead, inside))
    levels = book.snapshot(0, 0, 0)
    expected = zip(levels.side.tolist(), levels.price.tolist(), levels.size.tolist(), strict=True)
    assert {key: size for key, size in left.items() if size} == {(side, price): size for side, price, size in expected}


def test_when_waiting_diffs_are_known_is_one_of_two_words(tape: Path, tmp_path: Path) -> None:
    with pytest.raises(TickwaxError, match=r"^--waiting: 'later' is not one of arrival, snapshot$"):
        run("export", "hftbacktest", "--tape", tape, "--out", tmp_path / "out", "--waiting", "later")


def imported(files: Path, tape: Path) -> None:
    import_files(tape, sorted(files.iterdir()), tardis.read, None)


def differences(before: TapeBatch, after: TapeBatch) -> list[str]:
    """Columns that are not equal, times in microseconds."""
    assert before.rows == after.rows
    before = before._replace(exchange_ts=before.exchange_ts // 1000 * 1000, receive_ts=before.receive_ts // 1000 * 1000)
    pairs = zip(before, after, strict=True)
    return [name for name, (a, b) in zip(TapeBatch._fields, pairs, strict=True) if not np.array_equal(a, b)]


class TestRoundTrip:
    @pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT"])
    def test_real_captures(self, real_tape: Path, tmp_path: Path, symbol: str) -> None:
        """All columns of all rows, but for the numbers of book messages."""
        instrument = Instrument("binance_futures", symbol)
        said = run("export", "csv", "--tape", real_tape, "--out", tmp_path / "csv", "--symbols", instrument)
        assert "reader" not in said  # nothing that the files cannot tell
        imported(tmp_path / "csv", tmp_path / "back")
        before, after = rows_of(real_tape, instrument), rows_of(tmp_path / "back", instrument)
        assert differences(before, after) == ["sequence"]
        trades = before.kind == TRADE
        assert np.array_equal(before.sequence[trades], after.sequence[trades])

    def test_a_tape_of_two_venues(self, tape: Path, tmp_path: Path) -> None:
        """But for trades of the same microsecond as the book message behind them, which are as many as is said."""
        said = run("export", "csv", "--tape", tape, "--out", tmp_path / "csv")
        imported(tmp_path / "csv", tmp_path / "back")
        for instrument, passed in ((BTC, 1), (ETH, 3)):
            assert f"{instrument}: {passed} trades are of the microsecond of the book message behind" in said
            before, after = rows_of(tape, instrument), rows_of(tmp_path / "back", instrument)
            assert before.rows == after.rows
            # Their order aside: books before trades of the same microsecond.
            late = before.kind == TRADE
            order = np.lexsort((late, before.receive_ts // 1000))
            moved = TapeBatch._make(column[order] for column in before)._replace(ordinal=before.ordinal)
            assert differences(moved, after) == ["sequence"]
            assert np.array_equal(moved.sequence[late[order]], after.sequence[late[order]])

    def test_a_range_is_the_same_book(self, tape: Path, tmp_path: Path) -> None:
        words = ("export", "csv", "--tape", tape, "--symbols", BTC, "--start", START, "--end", END)
        run(*words, "--out", tmp_path / "csv")
        imported(tmp_path / "csv", tmp_path / "back")
        before, after = rows_of(tape, BTC), rows_of(tmp_path / "back", BTC)
        first, stop = (int(np.datetime64(at.removesuffix("Z"), "ns").astype(int)) for at in (START, END))
        inside = (before.receive_ts >= first) & (before.receive_ts < stop)
        assert (after.kind != SNAPSHOT).sum() == inside.sum()
        whole, part = KnownLevels(), KnownLevels()
        whole.apply(before.slice(0, int((before.receive_ts < stop).sum())))
        part.apply(after)
        assert len(whole.snapshot(0, 0, 0).price) > 100
        assert all(map(np.array_equal, whole.snapshot(0, 0, 0), part.snapshot(0, 0, 0)))

    def test_resets_and_numbers_that_repeat(self, tmp_path: Path) -> None:
        """What the page says of them: a reset stands before the next snapshot, a repeated number is 0."""
        start = 1_700_000_000_000_000_000
        rows = [
            (SNAPSHOT, 10, 1, 100.0, False), (SNAPSHOT, 10, -1, 101.0, True), (TRADE, 50, 1, 100.5, True),
            (TRADE, 50, -1, 100.25, True), (DELTA, 11, 1, 100.0, True), (RESET, 11, 0, 0.0, True),
            (TRADE, 51, 1, 100.5, True), (SNAPSHOT, 20, 1, 99.0, True), (RESET, 20, 0, 0.0, True),
        ]  # fmt: skip
        kind, sequence, side, price, last = zip(*rows, strict=True)
        ts = [start + n * 1_000_000 for n in range(len(rows))]
        ts[1] = ts[0]
        size = [float(k != RESET) for k in kind]
        batch = tape_batch(ordinal=range(len(rows)), exchange_ts=ts, receive_ts=ts, sequence=sequence, kind=kind,
                           side=side, price=price, size=size, last=last)  # fmt: skip
        instrument = Instrument("bybit_linear", "BTCUSDT")
        with TapeWriter(tmp_path / "tape", "t") as writer:
            writer.write(instrument, batch)
        said = run("export", "csv", "--tape", tmp_path / "tape", "--out", tmp_path / "csv")
        assert f"{instrument}: 2 resets have no place in these files" in said
        imported(tmp_path / "csv", tmp_path / "back")
        after = rows_of(tmp_path / "back", instrument)
        kept = [0, 1, 2, 3, 4, 6, 5, 7]  # the reset behind the trade, and none at the end
        assert after.kind.tolist() == [kind[n] for n in kept]
        assert after.price.tolist() == [price[n] for n in kept]
        assert after.sequence[after.kind == TRADE].tolist() == [50, 0, 51]

    def test_a_day_replaces_its_own_files_alone(self, tmp_path: Path) -> None:
        run("synth", "--tape", tmp_path / "tape", "--symbols", BTC, "--span", "4s", "--start", "2026-01-05T23:59:58Z")
        words = ("export", "csv", "--tape", tmp_path / "tape", "--out", tmp_path / "csv")
        run(*words)
        assert len(names(tmp_path / "csv")) == 4
        first = {file: file.read_bytes() for file in (tmp_path / "csv").iterdir()}
        run(*words, "--start", "2026-01-06", "--overwrite")
        changed = sorted(file.name for file, content in first.items() if file.read_bytes() != content)
        assert changed == ["binance-futures_incremental_book_L2_2026-01-06_BTCUSDT.csv.gz"]

    def test_polars_reads_it(self, tape: Path, tmp_path: Path) -> None:
        run("export", "csv", "--tape", tape, "--out", tmp_path / "csv", "--symbols", BTC)
        rows = rows_of(tape, BTC)
        trades = pl.read_csv(tmp_path / "csv" / NAMES["csv"][1])
        assert trades["price"].to_list() == rows.price[rows.kind == TRADE].tolist()
        assert trades["amount"].to_list() == rows.size[rows.kind == TRADE].tolist()
        assert trades["id"].to_list() == rows.sequence[rows.kind == TRADE].tolist()

    def test_a_venue_that_cannot_be_imported_again(self, tmp_path: Path) -> None:
        run("synth", "--tape", tmp_path / "tape", "--symbols", "okx_swap:BTC-USDT-SWAP", "--span", "1s")
        with pytest.raises(TickwaxError, match="okx_swap:BTC-USDT-SWAP: CSV files are written of binance_futures, "):
            run("export", "csv", "--tape", tmp_path / "tape", "--out", tmp_path / "csv")
        assert names(tmp_path) == ["tape"]
