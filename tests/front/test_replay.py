"""`tickwax.replay` is the dataflow: the same bits as the command, in a process that is not its own."""

import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

import tickwax as tw
from operators.config import FeatureConfig
from operators.schema import feature_columns
from sources.tape.layout import data_files, set_aside_of
from tests.dataflows.conftest import INSTRUMENTS
from tests.dataflows.test_replay import assert_same, damaged, table
from tests.front.conftest import COMMAND

BTC, ETH = INSTRUMENTS[:2]
KEYS = ["exchange", "symbol"]


def of(frame: pa.Table, instrument) -> pa.Table:
    """Its rows in a frame, as they are in the files of a data set."""
    mask = [
        (e, s) == tuple(instrument)
        for e, s in zip(frame["exchange"].to_pylist(), frame["symbol"].to_pylist(), strict=True)
    ]
    return frame.filter(pa.array(mask)).drop_columns(KEYS)


class TestBits:
    @pytest.mark.parametrize("workers", [1, 2])
    def test_a_frame(self, synthetic_tape_root, commanded, workers):
        frame = tw.replay(synthetic_tape_root, workers=workers)
        assert frame.column_names == KEYS + [c.name for c in feature_columns(FeatureConfig())]
        for instrument in INSTRUMENTS:
            assert_same(of(frame, instrument), table(commanded / "features", instrument))
        assert frame.num_rows == sum(table(commanded / "features", i).num_rows for i in INSTRUMENTS)
        rows = zip(frame["exchange"].to_pylist(), frame["symbol"].to_pylist(), strict=True)
        assert [key for key, _ in groupby(rows)] == sorted(INSTRUMENTS)

    def test_what_is_off_by_default_has_the_same_bits_on_any_number_of_workers(self, synthetic_tape_root):
        more = {"integrated_ofi": 10, "zscore_window": 50}
        one, two = (tw.replay(synthetic_tape_root, workers=n, sampling="update", **more) for n in (1, 2))
        for instrument in INSTRUMENTS:
            assert_same(of(one, instrument), of(two, instrument))
        assert np.isfinite(one["integrated_ofi"].to_numpy()).mean() > 0.5

    def test_data_sets(self, synthetic_tape_root, commanded, tmp_path):
        path = tw.replay(str(synthetic_tape_root), to=tmp_path / "features", books="books")
        assert path == tmp_path / "features"
        for instrument in INSTRUMENTS:
            assert_same(table(path, instrument), table(commanded / "features", instrument))
            assert_same(table(tmp_path / "books", instrument), table(commanded / "books", instrument))
        frame = tw.replay(synthetic_tape_root)
        assert tw.read_features(path).schema == frame.schema
        assert_same(tw.read_features(path).combine_chunks(), frame)
        assert_same(tw.read_features(commanded / "features"), frame)

    def test_settings(self, synthetic_tape_root, start, tmp_path):
        """Every kind of them: a list, a text, a number, a duration, and a range."""
        begin, end = "2026-01-04T23:59:58Z", datetime(2026, 1, 5, 0, 0, 3, tzinfo=UTC)
        settings = {
            "features.windows": '["250ms", "1s"]', "features.depths": "[1, 3]", "features.ofi": "depth",
            "features.zscore_window": 5, "features.price_d": 0.7, "features.fdi_window": 3,
            "features.fdi_method": "sevcik",
        }  # fmt: skip
        flags = ("--tape", synthetic_tape_root, "--features", tmp_path / "f", "--sampling", "update")
        flags += ("--start", begin, "--end", end.isoformat(), "--symbols", f"{BTC},bybit_linear:*")
        process = start(settings, *COMMAND, "replay", *flags)
        assert process.wait(timeout=120) == 0
        frame = tw.replay(
            synthetic_tape_root, symbols=[str(BTC), "bybit_linear:*"], sampling="update", start=begin, end=end,
            windows=["250ms", "1s"], depths=[1, 3], ofi="depth", zscore_window=5, price_d=0.7, fdi_window=3,
            fdi_method="sevcik",
        )  # fmt: skip
        for instrument in (BTC, *INSTRUMENTS[3:]):
            assert_same(of(frame, instrument), table(tmp_path / "f", instrument))
        assert frame.num_rows == sum(table(tmp_path / "f", i).num_rows for i in (BTC, *INSTRUMENTS[3:]))

    def test_forms(self, synthetic_tape_root):
        arrow = tw.replay(synthetic_tape_root, symbols=str(BTC))
        polars = tw.replay(synthetic_tape_root, symbols=str(BTC), as_="polars")
        pandas = tw.replay(synthetic_tape_root, symbols=str(BTC), as_="pandas")
        for name in ("mid", "price_ffd", "fdi"):
            bits = arrow[name].to_numpy().view(np.int64)
            assert (polars[name].to_numpy().view(np.int64) == bits).all()
            assert (pandas[name].to_numpy().view(np.int64) == bits).all()
        assert polars["ts"].dtype == pl.Datetime("ns", "UTC")
        assert polars["regime"].cast(pl.String).to_list() == arrow["regime"].to_pylist()
        assert [None if r != r else r for r in pandas["regime"].tolist()] == arrow["regime"].to_pylist()
        assert set(pandas["symbol"]) == {"BTCUSDT"}

    def test_neither_environment_nor_files_of_settings_are_read(self, synthetic_tape_root, commanded, monkeypatch):
        monkeypatch.setenv("TICKWAX_FEATURES__SAMPLING", "7s")
        monkeypatch.setenv("TICKWAX_NONSENSE", "1")
        Path("tickwax.toml").write_text("[features]\nzscore_window = 3\n")
        monkeypatch.setattr(sys, "argv", ["kernel", "-a", "-r", "x;y", "--processes"])
        assert_same(
            tw.replay(synthetic_tape_root, symbols=str(BTC)).drop_columns(KEYS), table(commanded / "features", BTC)
        )
        assert os.listdir() == ["tickwax.toml"]


def surroundings() -> object:
    wakeup = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(wakeup)
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    return wakeup, handlers, sys.excepthook, sys.getswitchinterval(), len(os.listdir("/proc/self/fd"))


class TestProcess:
    """What a notebook is used to: it goes on."""

    def test_nothing_is_left_behind_and_nothing_is_said(self, synthetic_tape_root, capfd):
        tw.replay(synthetic_tape_root, symbols=str(BTC))  # what is made once, such as Arrow's pool
        before = surroundings()
        for n in range(3):
            tw.replay(synthetic_tape_root, to=f"f{n}", workers=1 + n % 2)
        assert surroundings() == before
        assert [t for t in threading.enumerate() if "parquet" in t.name or "interruption" in t.name] == []
        assert sorted(os.listdir()) == ["f0", "f1", "f2"]
        assert capfd.readouterr() == ("", "")

    def test_another_thread(self, synthetic_tape_root):
        frame = tw.replay(synthetic_tape_root, symbols=str(BTC))
        with ThreadPoolExecutor(2) as pool:
            others = list(pool.map(lambda n: tw.replay(synthetic_tape_root, symbols=str(BTC)), range(4)))
        for other in others:
            assert_same(other, frame)

    def test_a_broken_tape(self, synthetic_tape_root, tmp_path, capfd):
        file = damaged(synthetic_tape_root, tmp_path / "tape", 500)
        before = surroundings()
        for arguments in ({}, {"to": "f"}, {"to": "f", "books": "b", "workers": 2}):
            with pytest.raises(tw.TickwaxError) as caught:
                tw.replay("tape", **arguments)
            assert (
                str(caught.value)
                == f"{file.relative_to(tmp_path)}: row 500: price -1.0 is not above 0 and at most 1e+15"
            )
            assert caught.value.__cause__ is None
        assert os.listdir() == ["tape"]
        assert surroundings() == before
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize("arguments", [{}, {"books": "b"}, {"workers": 2, "books": "b"}])
    def test_a_full_disk(self, synthetic_tape_root, monkeypatch, arguments):
        """Bytewax closes what it has after an error: a second one, then, would end the process."""

        from sinks.data_file import DataFile

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(DataFile, "append", full)
            with pytest.raises(tw.TickwaxError, match=r"^cannot write to [fb]: No space left on device$"):
                tw.replay(synthetic_tape_root, to="f", **arguments)
        assert os.listdir() == []
        tw.replay(synthetic_tape_root, to="f")

    @pytest.mark.parametrize("workers", [1, 2])
    def test_no_memory(self, synthetic_tape_root, monkeypatch, capfd, workers):
        """Of whatever kind an error is, it is raised as it was."""
        with monkeypatch.context() as patch:
            patch.setattr("sinks.frame.rows_to_arrow", lambda *_: (_ for _ in ()).throw(MemoryError("no room")))
            with pytest.raises(MemoryError, match=r"^no room$"):
                tw.replay(synthetic_tape_root, workers=workers)
        assert tw.replay(synthetic_tape_root, symbols=str(BTC)).num_rows == 100
        assert capfd.readouterr() == ("", "")

    def test_a_disk_that_fills_as_files_appear(self, synthetic_tape_root, monkeypatch):
        monkeypatch.setattr("sinks.dataset.move", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
        with pytest.raises(tw.TickwaxError, match=r"^cannot write to f: No space left$"):
            tw.replay(synthetic_tape_root, to="f")
        assert list(Path().rglob("*.part")) == []

    def test_what_is_left_out_is_a_warning(self, synthetic_tape_root, tmp_path):
        damaged(synthetic_tape_root, tmp_path / "tape", 0)
        file = data_files(tmp_path / "tape", ETH)[-1]
        aside = tmp_path / ".tape.damaged" / file.relative_to(tmp_path / "tape").with_name(f"{file.name}.damaged")
        aside.parent.mkdir(parents=True)
        file.rename(aside)
        assert set_aside_of(tmp_path / "tape", ETH) == [aside]
        with pytest.warns(tw.TickwaxWarning, match=rf"^{ETH}: 1 damaged file was set aside") as caught:
            tw.replay("tape")
        assert [w.filename for w in caught] == [__file__]

    def test_a_bar_if_asked(self, synthetic_tape_root, capfd, monkeypatch):
        monkeypatch.setenv("FORCE_COLOR", "1")
        tw.replay(synthetic_tape_root, symbols=str(BTC), progress=True)
        assert "replay" in capfd.readouterr().err


SCRIPT = """
import os, signal, sys, time
import pyarrow as pa
import tickwax as tw

pa.set_cpu_count(1)  # its threads come when they are needed, and stay
pa.set_io_thread_count(1)

def threads():
    return len(os.listdir("/proc/self/task"))

tape, workers, arguments = sys.argv[1], int(sys.argv[2]), eval(sys.argv[3])
tw.replay(tape, **{key: value + "0" for key, value in arguments.items()})  # Arrow has its threads by now
before = threads()
try:
    print("begun", flush=True)
    tw.replay(tape, sampling="update", zscore_window=100_000, workers=workers, **arguments)
except KeyboardInterrupt:
    end = time.monotonic() + 5
    while threads() > before and time.monotonic() < end:  # the system takes a moment to forget one that has ended
        time.sleep(0.01)
    print("interrupted", sorted(os.listdir()), threads() - before)
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
print(tw.replay(tape, symbols="binance_futures:BTCUSDT").num_rows)
"""


@pytest.mark.parametrize(
    ("workers", "arguments"),
    [
        (1, {"to": "f", "books": "b"}),
        pytest.param(2, {"to": "f"}, marks=pytest.mark.slow),
        pytest.param(1, {}, marks=pytest.mark.slow),
    ],
)
def test_an_interruption_is_one(synthetic_tape_root, commanded, start, tmp_path, workers, arguments):
    process = start({}, "-c", SCRIPT, synthetic_tape_root, workers, arguments)
    assert process.stdout.readline() == "begun\n"
    while arguments and not list(tmp_path.glob(".f.staging-*/*.part")):  # half-way
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    left = sorted(f"{folder}0" for folder in arguments.values())
    rows = table(commanded / "features", BTC).num_rows
    assert (stdout, stderr) == (f"interrupted {left} 0\nTrue\n{rows}\n", "")


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            ({"sampling": "often"}, "sampling: 'often' is not a duration: a count and a unit of ns, us,"),
            ({"symbols": "BTCUSDT"}, "symbols: 'BTCUSDT' is not an instrument: venue:SYMBOL"),
            ({"symbols": []}, "symbols: [] is empty"),
            ({"start": 5}, "start: 5 is not an ISO 8601 time"),
            ({"start": "2026-01-06", "end": "2026-01-05"}, "start: '2026-01-06' is not before end, '2026-01-05'"),
            ({"windows": []}, "windows: at least one is needed"),
            ({"depths": [0]}, "depths: [0] has one outside 1 to 1000"),
            ({"price_d": 3}, "price_d: 3.0 is outside 0 to 2"),
            ({"fdi_interval": "150ms"}, "fdi_interval: '150ms' is no multiple of sampling, '100ms'; set "),
            ({"fdi_method": "box"}, "fdi_method: 'box' is not one of variogram, madogram, sevcik, chord"),
            ({"workers": 0}, "workers: 0 is not a whole number from 1 on"),
            ({"workers": 1.5}, "workers: 1.5 is not a whole number"),
            ({"as_": "numpy"}, "as_: 'numpy' is not one of arrow, polars, pandas"),
            ({"to": "f", "as_": "polars"}, "as_: 'polars' is the form of a frame"),
            ({"to": "tape"}, "to: 'tape' is also tape; every data set needs a folder of its own"),
            ({"window": ["1s"]}, "window: unknown argument; settings of the features are d_file, depths,"),
            ({"path": "f"}, "path: unknown argument"),
        ],
    )  # fmt: skip
    def test_bad_arguments(self, arguments, says):
        with pytest.raises(ValueError) as caught:  # noqa: PT011
            tw.replay("tape", **arguments)
        assert str(caught.value).startswith(says)
        assert "\n" not in str(caught.value)
        assert os.listdir() == []

    def test_no_folder(self, synthetic_tape_root):
        with pytest.raises(ValueError, match=r"^tape: None is not the path of a folder$"):
            tw.replay(None)
        with pytest.raises(ValueError, match=r"^to: '' is not the path of a folder$"):
            tw.replay(synthetic_tape_root, to="")

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            ({"tape": "nowhere"}, "tape: nowhere holds no tape"),
            ({"tape": ""}, "tape: empty"),
            ({"symbols": "bybit_linear:X"}, "symbols: bybit_linear:X is not on the tape"),
            ({"start": "2027-01-01"}, "start: '2027-01-01' leaves no row: the tape ends before it"),
            ({"d_file": "nowhere"}, "d_file: nowhere: is missing"),
            ({"sampling": "1m", "fdi_interval": "1m", "start": "2026-01-05T00:00:01Z"}, "no feature row: the "),
        ],
    )
    @pytest.mark.parametrize("to", [None, "f"])
    def test_bad_input(self, synthetic_tape_root, arguments, says, to):
        with pytest.raises(tw.TickwaxError) as caught:
            tw.replay(**({"tape": synthetic_tape_root, "to": to} | arguments))
        assert str(caught.value).startswith(says)
        assert "\n" not in str(caught.value)
        assert os.listdir() == []

    def test_features_that_are_there(self, synthetic_tape_root):
        tw.replay(synthetic_tape_root, to="f", symbols=str(BTC))
        with pytest.raises(tw.TickwaxError, match=f"^to: f: holds rows of {BTC} already; .* or set overwrite=True$"):
            tw.replay(synthetic_tape_root, to="f", symbols=str(BTC))
        tw.replay(synthetic_tape_root, to="f", symbols=str(BTC), overwrite=True)
        assert len(data_files(Path("f"), BTC)) == 2  # the tape crosses midnight

    def test_a_library_that_is_not_installed(self, synthetic_tape_root, monkeypatch):
        monkeypatch.setitem(sys.modules, "polars", None)
        with pytest.raises(ImportError, match=r"^as_: 'polars' needs polars: pip install polars$"):
            tw.replay(synthetic_tape_root, as_="polars")
