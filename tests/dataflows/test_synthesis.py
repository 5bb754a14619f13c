import os

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from dataflows.assembly.synthetic_tape import START_NS, write_synthetic_tape
from dataflows.command_line.verbs import app
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.batch import KINDS, concat
from sources.tape.layout import data_files
from synthetic.market import SyntheticMarket, synthetic_tape

SECOND = 1_000_000_000
BOTH = [Instrument("binance_futures", "BTCUSDT"), Instrument("bybit_linear", "ETHUSDT")]


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch):
    for name in [n for n in os.environ if n.startswith("TICKWAX_")]:
        monkeypatch.delenv(name)


def test_the_tape_holds_the_market(tmp_path):
    seen = []
    written = write_synthetic_tape(tmp_path, BOTH, 25 * SECOND, 7, progress=lambda i, ns: seen.append((i, ns)))
    assert seen == [(i, ns * SECOND) for i in BOTH for ns in (10, 20, 25)]
    for summary in written:
        expected = concat(
            list(synthetic_tape(SyntheticMarket(summary.instrument, 7, START_NS), START_NS + 25 * SECOND))
        )
        (file,) = data_files(tmp_path, summary.instrument)
        table = pq.ParquetFile(file).read()
        assert summary.rows == table.num_rows == expected.rows
        assert file.parent.name == "date=2026-01-05"
        for name, column in expected._asdict().items():
            stored = table[name].to_numpy()
            assert (stored == ([KINDS[k] for k in column] if name == "kind" else column.astype(stored.dtype))).all()


def test_rows_are_dated_by_when_they_were_received(tmp_path):
    write_synthetic_tape(tmp_path, BOTH[:1], 4 * SECOND, 7, start_ns=START_NS - 2 * SECOND)
    assert [f.parent.name for f in data_files(tmp_path, BOTH[0])] == ["date=2026-01-04", "date=2026-01-05"]


def test_the_same_command_writes_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_synthetic_tape(tmp_path / name, BOTH, 3 * SECOND, 7)
    for instrument in BOTH:
        one, two = (data_files(tmp_path / name, instrument)[0].read_bytes() for name in ("a", "b"))
        assert one == two


def test_a_tape_that_holds_the_instrument_is_left_alone(tmp_path):
    write_synthetic_tape(tmp_path, BOTH[:1], SECOND, 7)
    write_synthetic_tape(tmp_path, BOTH[1:], SECOND, 7)  # another one may be added
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(TickwaxError, match="holds binance_futures:BTCUSDT already"):
        write_synthetic_tape(tmp_path, BOTH, SECOND, 8)
    with pytest.raises(TickwaxError, match="'binance_futures:BTCUSDT' stands twice"):
        write_synthetic_tape(tmp_path / "other", [BOTH[0], BOTH[0]], SECOND, 8)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_interruption_leaves_nothing(tmp_path):
    def interrupt(instrument, done_ns):
        if instrument == BOTH[1]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_synthetic_tape(tmp_path / "new" / "tape", BOTH, 20 * SECOND, 7, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_the_verb_writes_and_tells(tmp_path):
    flags = ["--tape", str(tmp_path), "--symbols", "binance_futures:BTCUSDT, bybit_linear:ETHUSDT", "--span", "2s"]
    done = CliRunner().invoke(app, ["synth", *flags], catch_exceptions=False)
    assert done.exit_code == 0
    assert "binance_futures:BTCUSDT" in done.output
    assert all(data_files(tmp_path, instrument) for instrument in BOTH)


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--span", "soon"], "--span: 'soon' is not a duration"),
        (["--start", "soon"], "--start: 'soon' is not an ISO 8601 time"),
        (["--start", "2026-01-05T00:00:00.0001Z"], "--start: .* is not a whole number of milliseconds"),
        (["--symbols", "binance_futures:*"], r"symbols: 'binance_futures:\*' is no single instrument"),
        (["--symbols", "BTCUSDT"], "symbols: 'BTCUSDT' is not an instrument"),
        (["--compression", "zip"], "tape.compression: 'zip' is not a codec"),
        (["--tape", ""], "tape.path: '' is no folder"),
    ],
)
def test_bad_flags_are_one_line(tmp_path, flags, line):
    with pytest.raises(TickwaxError, match=line):
        CliRunner().invoke(app, ["synth", "--tape", str(tmp_path / "tape"), *flags], catch_exceptions=False)
    assert list(tmp_path.iterdir()) == []
