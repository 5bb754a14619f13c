"""The replay dataflow as its users run it: the same bits on any number of workers, and nothing after a failure."""

import os
import signal
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from bytewax.run import cli_main
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataflows.assembly.replay import prepare_replay
from dataflows.assembly.synthetic_tape import START_NS
from dataflows.runtime.replay_run import Replay
from dataflows.settings.model import load_settings
from operators.config import FeatureConfig
from operators.feature_engine import FeatureEngine
from operators.row_batch import RowBatch
from operators.schema import book_columns, feature_columns
from sinks.tape import TapeWriter
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.batch import DELTA, TapeBatch, concat, tape_batch
from sources.tape.layout import data_files, instruments
from sources.tape.reader import TapeReader
from sources.tape.source import cut
from synthetic.market import SyntheticMarket, synthetic_tape
from tests.dataflows.conftest import INSTRUMENTS, MIDNIGHT, SECOND, processes
from tests.ports import free_ports
from tests.strategies import split, splits, tapes

BTC, ETH, SOL, BYBIT_BTC, BYBIT_ETH = INSTRUMENTS
MODULE = ("-m", "bytewax.run", "dataflows.replay")
VERB = ("-c", "from dataflows.cli import main; main()", "replay")
NS = pa.timestamp("ns", tz="UTC")


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch):
    for name in [n for n in os.environ if n.startswith("TICKWAX_")]:
        monkeypatch.delenv(name)


def run(workers: int = 1, **flags: object) -> Replay:
    """In this process; a keyword's double underscore is the dot of the key."""
    replay = prepare_replay(load_settings({key.replace("__", "."): value for key, value in flags.items()}))
    try:
        cli_main(replay.flow, workers_per_process=workers)
        replay.commit()
    finally:
        replay.abort()
    return replay


def table(root: Path, instrument: Instrument) -> pa.Table:
    """One instrument's rows in the order in which they were written."""
    files = sorted(data_files(root, instrument), key=lambda path: path.name)
    return pa.concat_tables([pq.ParquetFile(path).read() for path in files])


def bits(column: pa.ChunkedArray) -> list[object]:
    if pa.types.is_floating(column.type):
        return column.to_numpy().view(np.int64).tolist()
    return column.cast(pa.int64()).to_pylist() if pa.types.is_timestamp(column.type) else column.to_pylist()


def assert_same(found: pa.Table, expected: pa.Table) -> None:
    """Every bit; a NaN equals a NaN of the same bits."""
    assert found.schema.remove_metadata() == expected.schema.remove_metadata()
    for name in expected.column_names:
        assert bits(found[name]) == bits(expected[name]), name


def as_table(rows: RowBatch, columns) -> pa.Table:
    """Rows straight from the engine, without the sink."""
    out = {}
    for c in columns:
        values = getattr(rows, c.array)[c.row]
        if c.type == "word":
            words = [("trending", "ranging", "neutral")[v] if v >= 0 else None for v in values.tolist()]
            indices = [None if v < 0 else v for v in values.tolist()]
            kinds = pa.DictionaryArray.from_arrays(
                pa.array(indices, pa.int8()), pa.array(["trending", "ranging", "neutral"])
            )
            assert kinds.to_pylist() == words
            out[c.name] = kinds
        elif c.type == "timestamp":
            out[c.name] = pa.array(values.tolist(), pa.int64()).cast(NS)
        elif c.type == "uint8":
            out[c.name] = pa.array([v & 255 for v in values.tolist()], pa.uint8())
        else:
            out[c.name] = pa.array(values.copy())
    return pa.table(out, pa.schema([pa.field(name, out[name].type, name == "regime") for name in out]))


def direct(tape: TapeBatch, instrument: Instrument, config: FeatureConfig, books: bool = False) -> pa.Table | None:
    engine = FeatureEngine(config, full_depth=instrument.venue == "bybit_linear", with_books=books)
    rows = engine.process(tape)
    return None if rows is None else as_table(rows, book_columns() if books else feature_columns(config))


def whole_tape(root: Path, instrument: Instrument) -> TapeBatch:
    return concat(list(TapeReader(root, instrument).batches()))


def told(stderr: str) -> list[str]:
    """The lines on standard error, but for the compilation of the kernels, once per machine, and the summary."""
    usual = ("tickwax: compiling", "tickwax: replayed", "tickwax: data quality", "tickwax: latency")
    return [line for line in stderr.splitlines() if not line.startswith(usual)]


def cluster(start, settings: dict[str, object], module: tuple[str, ...] = MODULE) -> list:
    addresses = ";".join(f"127.0.0.1:{port}" for port in free_ports(2))
    return [start(settings, *module, "-i", n, "-a", addresses) for n in (0, 1)]


@pytest.fixture(scope="session")
def alone(synthetic_tape_root, tmp_path_factory) -> Path:
    """Folder with what one worker wrote: `features` and `books`."""
    out = tmp_path_factory.mktemp("alone")
    paths = {"tape.path": synthetic_tape_root, "features.path": out / "features", "books.path": out / "books"}
    with processes() as start:
        process = start(paths, *MODULE)
        stdout, stderr = process.communicate(timeout=120)
    assert (process.returncode, stdout, told(stderr)) == (0, "", [])
    assert "tape rows" in stderr
    assert "one-sided books" in stderr
    return out


class TestRows:
    def test_one_worker_gives_what_the_engine_gives(self, alone, synthetic_tape_root):
        for instrument in INSTRUMENTS:
            tape = whole_tape(synthetic_tape_root, instrument)
            assert_same(table(alone / "features", instrument), direct(tape, instrument, FeatureConfig()))
            assert_same(table(alone / "books", instrument), direct(tape, instrument, FeatureConfig(), books=True))

    def test_each_row_once_on_the_grid(self, alone):
        for instrument in INSTRUMENTS:
            ts = table(alone / "features", instrument)["ts"].cast(pa.int64()).to_numpy()
            assert set(np.diff(ts)) == {SECOND // 10}
            assert not (ts % (SECOND // 10)).any()
            assert len(ts) > 95

    def test_two_threads(self, alone, synthetic_tape_root, start, tmp_path):
        paths = {"features.path": tmp_path / "features", "books.path": tmp_path / "books"}
        process = start({"tape.path": synthetic_tape_root, **paths}, *MODULE, "-w", 2)
        stdout, stderr = process.communicate(timeout=120)
        assert (process.returncode, stdout, told(stderr)) == (0, "", [])
        for instrument in INSTRUMENTS:
            for name in ("features", "books"):
                assert_same(table(tmp_path / name, instrument), table(alone / name, instrument))

    def test_two_processes(self, alone, synthetic_tape_root, start, tmp_path):
        both = cluster(start, {"tape.path": synthetic_tape_root, "features.path": tmp_path / "features"})
        assert [told(process.communicate(timeout=120)[1]) for process in both] == [[], []]
        assert [process.returncode for process in both] == [0, 0]
        for instrument in INSTRUMENTS:
            assert_same(table(tmp_path / "features", instrument), table(alone / "features", instrument))
        written = {path.name.rsplit("-", 1)[0] for i in INSTRUMENTS for path in data_files(tmp_path / "features", i)}
        assert written == {"replay-0", "replay-1"}

    @settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
    @given(st.data(), st.sampled_from(("100ms", "update")))
    def test_nasty_tapes(self, tmp_path_factory, data, sampling):
        root = tmp_path_factory.mktemp("nasty")
        step = SECOND // 10 if sampling == "100ms" else 0
        config = FeatureConfig(
            sampling_ns=step, windows=(("150ms", 150_000_000), ("1s", SECOND)), depths=(1, 20), zscore_window=3,
            max_hold_ns=SECOND, ffd_threshold=0.05, fdi_window=3, fdi_interval_ns=SECOND // 5, volatility_window=3,
        )  # fmt: skip
        written = {}
        for instrument in INSTRUMENTS[1:4]:
            parts = data.draw(st.lists(tapes(config, max_messages=30), min_size=1, max_size=3))
            tape = concat([part for part in parts if part.rows])
            if tape.rows == 0:
                continue
            shift = MIDNIGHT - SECOND // 5 - 1_700_000_000 * SECOND  # whole steps; the rows cross midnight
            written[instrument] = tape = tape._replace(
                ordinal=np.arange(tape.rows), exchange_ts=tape.exchange_ts + shift, receive_ts=tape.receive_ts + shift
            )
            for n, part in enumerate(split(tape, data.draw(splits(tape.rows)))):
                with TapeWriter(root / "tape", f"part{n}") as writer:
                    writer.write(instrument, part)
        if not written:
            return
        rows = [direct(tape, instrument, config, books=False) for instrument, tape in written.items()]
        some = any(each is not None for each in rows)
        with nullcontext() if some else pytest.raises(TickwaxError, match="no feature row"):
            run(
                data.draw(st.sampled_from((1, 2, 3))), tape__path=str(root / "tape"),
                features__path=str(root / "features"), books__path=str(root / "books"), features__sampling=sampling,
                features__windows=["150ms", "1s"], features__depths=[1, 20], features__zscore_window=3,
                features__max_hold="1s", features__ffd_threshold=0.05, features__fdi_window=3,
                features__fdi_interval="200ms", features__volatility_window=3,
            )  # fmt: skip
        for instrument, tape in written.items():
            for name in ("features", "books"):
                expected = direct(tape, instrument, config, books=name == "books")
                if expected is None:
                    assert data_files(root / name, instrument) == []
                else:
                    assert_same(table(root / name, instrument), expected)


class TestForm:
    def test_columns(self, alone):
        depths, windows = ("l0", "l5", "l10", "l20"), ("100ms", "1s", "5s", "30s")
        names = ["ts", "receive_ts", "ordinal", "bid_price", "bid_size", "ask_price", "ask_size"]
        names += ["mid", "spread", "microprice", *(f"depth_imbalance_{d}" for d in depths), "vw_ofi"]
        names += [f"ofi_{d}" for d in depths] + [
            f"{o}_{d}_{w}" for o in ("ofi", "ofi_z") for d in depths for w in windows
        ]
        names += ["ofi_momentum", "ofi_acceleration", *(f"trade_imbalance_{w}" for w in windows), "trade_volume"]
        names += ["trade_count", "vwap", "price_ffd", "volume_ffd", "fdi", "regime", "volatility", "warm"]
        types = {"ts": NS, "receive_ts": NS, "ordinal": pa.int64(), "trade_count": pa.int64(), "warm": pa.uint8()}
        types["regime"] = pa.dictionary(pa.int8(), pa.string())
        expected = pa.schema([pa.field(name, types.get(name, pa.float64()), name == "regime") for name in names])
        for instrument in INSTRUMENTS:
            found = table(alone / "features", instrument)
            assert found.schema.remove_metadata() == expected
            assert found["regime"].to_pylist()[0] is None
            assert pc.is_null(found["regime"]).to_pylist() == pc.is_nan(found["fdi"]).to_pylist()

    def test_book_columns(self, alone):
        groups = [f"{side}_{what}_{m}" for side in ("bid", "ask") for what in ("price", "size") for m in range(20)]
        found = table(alone / "books", BTC)
        assert found.column_names == ["ts", "ordinal", *groups]
        assert {found.schema.field(name).type for name in groups} == {pa.float64()}
        features = table(alone / "features", BTC)
        for name in ("bid_price", "bid_size", "ask_price", "ask_size"):
            assert bits(found[f"{name}_0"]) == bits(features[name])
        assert bits(found["ordinal"]) == bits(features["ordinal"])

    def test_rows_lie_in_the_partition_of_their_date(self, alone):
        for instrument in INSTRUMENTS:
            for path in data_files(alone / "features", instrument):
                days = pc.strftime(pq.ParquetFile(path).read()["ts"], "%Y-%m-%d").unique().to_pylist()
                assert [f"date={day}" for day in days] == [path.parent.name]
            assert len(data_files(alone / "features", instrument)) == 2

    def test_other_tools(self, alone):
        root = alone / "features"
        frame = pl.scan_parquet(root, hive_partitioning=True).collect()
        assert frame.columns[-3:] == ["exchange", "symbol", "date"]
        assert frame.schema["ts"] == pl.Datetime("ns", "UTC")
        assert frame.schema["warm"] == pl.UInt8
        panda = pd.read_parquet(root)
        assert str(panda["ts"].dtype) == "datetime64[ns, UTC]"
        assert set(panda["regime"].dropna()) <= {"trending", "ranging", "neutral"}
        (rows, instruments), *_ = duckdb.sql(
            f"select count(*), count(distinct exchange || symbol) from '{root}/*/*/*/*.parquet'"
        ).fetchall()
        assert rows == len(frame) == len(panda) == ds.dataset(root, partitioning="hive").count_rows()
        assert instruments == len(INSTRUMENTS)


class TestChoices:
    """What the settings choose."""

    def paths(self, tape: Path, out: Path) -> dict[str, object]:
        return {"tape__path": str(tape), "features__path": str(out / "features")}

    def there(self, root: Path) -> set[Instrument]:
        return {i for i in INSTRUMENTS if data_files(root, i)}

    @pytest.mark.parametrize(
        ("symbols", "chosen"),
        [
            (["bybit_linear:*"], {BYBIT_BTC, BYBIT_ETH}),
            (["binance_futures:ETHUSDT", "bybit_linear:*"], {ETH, BYBIT_BTC, BYBIT_ETH}),
            (["bybit_linear:*", "bybit_linear:BTCUSDT"], {BYBIT_BTC, BYBIT_ETH}),
        ],
    )
    def test_symbols(self, synthetic_tape_root, alone, tmp_path, symbols, chosen):
        replay = run(**self.paths(synthetic_tape_root, tmp_path), symbols=symbols)
        assert self.there(tmp_path / "features") == chosen == set(replay.engines)
        for instrument in chosen:
            assert_same(table(tmp_path / "features", instrument), table(alone / "features", instrument))

    @pytest.mark.parametrize("workers", [1, 2])
    def test_a_range(self, synthetic_tape_root, alone, tmp_path, workers):
        start, end = MIDNIGHT - SECOND, MIDNIGHT + 3 * SECOND + 1
        limits = {"replay__start": "2026-01-04T23:59:59Z", "replay__end": "2026-01-05T00:00:03.000000001Z"}
        run(workers, **self.paths(synthetic_tape_root, tmp_path), **limits)
        for instrument in INSTRUMENTS:
            found, whole = table(tmp_path / "features", instrument), table(alone / "features", instrument)
            received = whole["receive_ts"].cast(pa.int64()).to_numpy()
            inside = np.flatnonzero((received >= start) & (received < end))
            # The last grid time needs a row after it to be known as complete, and that may lie beyond the end.
            assert len(inside) - 1 <= found.num_rows <= len(inside)
            same = whole.take(pa.array(inside[: found.num_rows]))
            for name in (
                "ts",
                "receive_ts",
                "ordinal",
                "bid_price",
                "ask_size",
                "mid",
                "depth_imbalance_l20",
                "vw_ofi",
            ):
                assert bits(found[name]) == bits(same[name])

    def test_a_range_without_rows(self, synthetic_tape_root, tmp_path):
        with pytest.raises(TickwaxError, match="'2027-01-01' leaves no row: the tape ends before it"):
            run(**self.paths(synthetic_tape_root, tmp_path), replay__start="2027-01-01")
        assert list(tmp_path.iterdir()) == []

    def test_without_features(self, synthetic_tape_root, tmp_path):
        replay = run(tape__path=str(synthetic_tape_root), features__path="")
        assert replay.sinks == {}
        assert replay.progress.rows == sum(whole_tape(synthetic_tape_root, i).rows for i in INSTRUMENTS)
        assert len(replay.engines) == len(INSTRUMENTS)

    def test_only_books(self, synthetic_tape_root, alone, tmp_path):
        books = tmp_path / "books"
        run(tape__path=str(synthetic_tape_root), features__path="", books__path=str(books), symbols=[str(SOL)])
        assert_same(table(books, SOL), table(alone / "books", SOL))

    def test_orders_per_instrument(self, synthetic_tape_root, alone, tmp_path, capsys):
        orders = {"exchange": ["binance_futures"] * 2 + ["bybit_linear"], "symbol": ["BTCUSDT", "BTCUSDT", "NOTHERE"]}
        pq.write_table(
            pa.table({**orders, "series": ["price", "volume", "price"], "d": [0.7, 1.0, 0.1]}), tmp_path / "d"
        )
        flags = {
            "features__d_file": str(tmp_path / "d"),
            "symbols": [str(BTC), str(ETH)],
            "features__ffd_threshold": 0.01,
        }
        run(**self.paths(synthetic_tape_root, tmp_path), **flags)
        lack = f"{tmp_path / 'd'}: no order of {ETH}; price_d 0.4 and volume_d 0.5 are taken"
        said = [line for line in capsys.readouterr().err.splitlines() if "d_file" in line]
        assert said == [f"tickwax: features.d_file: {lack}"]
        config = FeatureConfig(ffd_threshold=0.01)
        for instrument, own in ((BTC, replace(config, price_d=0.7, volume_d=1.0)), (ETH, config)):
            expected = direct(whole_tape(synthetic_tape_root, instrument), instrument, own)
            assert_same(table(tmp_path / "features", instrument), expected)
        assert bits(table(tmp_path / "features", BTC)["mid"]) == bits(table(alone / "features", BTC)["mid"])

    @pytest.mark.parametrize(
        ("columns", "says"),
        [
            ({"series": ["spread"], "d": [0.5]}, "row 0: series 'spread' is not one of price, volume"),
            ({"series": ["price"], "d": [2.5]}, "row 0: d 2.5 is not a number from 0 to 2"),
            ({"series": ["price"], "d": [float("nan")]}, "row 0: d nan is not"),
            ({"series": ["price"], "d": [None]}, "row 0: d None is not"),
            ({"series": ["price"], "d": ["0.5"]}, "row 0: d '0.5' is not a number from 0 to 2"),
            ({"series": ["price"]}, "'?d'?"),
        ],
    )
    def test_bad_orders(self, synthetic_tape_root, tmp_path, columns, says):
        file = tmp_path / "d.parquet"
        pq.write_table(pa.table({"exchange": ["bybit_linear"], "symbol": ["BTCUSDT"], **columns}), file)
        with pytest.raises(TickwaxError, match=says) as caught:
            prepare_replay(load_settings({"tape.path": str(synthetic_tape_root), "features.d_file": str(file)}))
        assert str(caught.value).startswith(f"features.d_file: {file}: ")
        assert "\n" not in str(caught.value)

    def test_features_are_not_doubled(self, synthetic_tape_root, tmp_path):
        flags = self.paths(synthetic_tape_root, tmp_path)
        run(**flags, symbols=[str(BTC)])
        before = {path: path.read_bytes() for path in data_files(tmp_path / "features", BTC)}
        with pytest.raises(TickwaxError, match=r"features.path: .* holds rows of binance_futures:BTCUSDT already"):
            run(**flags)
        assert {path: path.read_bytes() for path in data_files(tmp_path / "features", BTC)} == before
        run(**flags, symbols=[str(ETH)])  # another instrument may come to it
        assert self.there(tmp_path / "features") == {BTC, ETH}

    def test_overwriting(self, synthetic_tape_root, alone, tmp_path):
        flags = self.paths(synthetic_tape_root, tmp_path)
        three = [str(i) for i in (BTC, ETH, BYBIT_ETH)]
        run(2, **flags, features__sampling="1s", symbols=three)
        kept = table(tmp_path / "features", BYBIT_ETH)
        with pytest.raises(TickwaxError, match=r"features\.sampling was 1s and is 100ms"):
            run(1, **flags, features__overwrite=True, symbols=[str(BTC), str(ETH)])
        assert_same(table(tmp_path / "features", BYBIT_ETH), kept)
        run(2, **flags, features__overwrite=True, symbols=three)
        kept = table(tmp_path / "features", BYBIT_ETH)
        run(1, **flags, features__overwrite=True, symbols=[str(BTC), str(ETH)])
        for instrument in (BTC, ETH):
            assert_same(table(tmp_path / "features", instrument), table(alone / "features", instrument))
        assert_same(table(tmp_path / "features", BYBIT_ETH), kept)


def damaged(root: Path, to: Path, row: int) -> Path:
    """A copy of a tape in which one row of the instrument that has most files has a negative price; its file."""
    for path in root.rglob("*.parquet"):
        copy = to / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    file = data_files(to, ETH)[-1]
    rows = pq.ParquetFile(file).read()
    prices = rows["price"].to_pylist()
    prices[row] = -1.0
    pq.write_table(rows.set_column(rows.column_names.index("price"), "price", pa.array(prices)), file)
    return file


class TestFailures:
    """One line on standard error, and nothing left behind."""

    @pytest.mark.parametrize(
        ("flags", "says"),
        [
            ({"tape.path": "nowhere"}, "tape.path: nowhere holds no tape"),
            ({"tape.path": ""}, "tape.path: empty"),
            (
                {"symbols": ["bybit_linear:XUSDT"]},
                "symbols: bybit_linear:XUSDT is not on the tape .* which holds binance",
            ),
            ({"symbols": ["binance_spot:*"]}, r"symbols: binance_spot:\* is not on the tape"),
            ({"features.windows": []}, "features.windows: at least one"),
            ({"features.d_file": "nowhere"}, "features.d_file: nowhere: "),
            ({"books.path": __file__}, "books.path: .* is not a folder"),
        ],
    )
    def test_bad_settings(self, synthetic_tape_root, tmp_path, monkeypatch, flags, says):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(TickwaxError, match=f"^{says}") as caught:
            prepare_replay(load_settings({"tape.path": str(synthetic_tape_root), **flags}))
        assert "\n" not in str(caught.value)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("module", [MODULE, VERB])
    def test_a_bad_setting_ends_with_2(self, synthetic_tape_root, start, tmp_path, module):
        settings = {
            "tape.path": synthetic_tape_root,
            "features.path": tmp_path / "out",
            "symbols": '["bybit_linear:X"]',
        }
        process = start(settings, *module)
        stdout, stderr = process.communicate(timeout=120)
        assert (process.returncode, stdout) == (2, "")
        (line,) = told(stderr)
        assert line.startswith("tickwax: symbols: bybit_linear:X is not on the tape")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("workers", [1, 2])
    def test_a_bad_row_ends_with_1(self, synthetic_tape_root, start, tmp_path, workers):
        file = damaged(synthetic_tape_root, tmp_path / "tape", 500)
        settings = {"tape.path": tmp_path / "tape", "features.path": tmp_path / "f", "books.path": tmp_path / "b"}
        process = start(settings, *MODULE, "-w", workers)
        stdout, stderr = process.communicate(timeout=120)
        assert (process.returncode, stdout) == (1, "")
        assert told(stderr) == [f"tickwax: {file}: row 500: price -1.0 is not above 0 and at most 1e+15"]
        assert [path.name for path in tmp_path.iterdir()] == ["tape"]

    def test_a_bad_row_in_one_process_of_two(self, synthetic_tape_root, start, tmp_path):
        file = damaged(synthetic_tape_root, tmp_path / "tape", -1)
        both = cluster(start, {"tape.path": tmp_path / "tape", "features.path": tmp_path / "f"})
        ends = [process.communicate(timeout=120)[1] for process in both]
        assert [process.returncode for process in both] == [1, 1]
        assert sum(f"tickwax: {file}: row " in end for end in ends) == 1
        assert list((tmp_path / "f").rglob("*")) == []  # not even what the other process had finished

    def test_a_folder_that_cannot_be_made_ends_with_2(self, synthetic_tape_root, start, tmp_path):
        (tmp_path / "file").touch()
        process = start({"tape.path": synthetic_tape_root, "features.path": tmp_path / "file" / "f"}, *MODULE)
        line = f"tickwax: cannot write to {tmp_path}/file/f: Not a directory"
        assert told(process.communicate(timeout=120)[1]) == [line]
        assert process.returncode == 2

    def test_an_interruption_while_the_other_process_is_missing(self, synthetic_tape_root, start, tmp_path):
        (port, other) = free_ports(2)
        settings = {"tape.path": synthetic_tape_root, "features.path": tmp_path / "f"}
        process = start(settings, *MODULE, "-i", 1, "-a", f"127.0.0.1:{port};127.0.0.1:{other}")
        assert "error connecting" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert told(process.communicate(timeout=20)[1]) == ["tickwax: interrupted; nothing was written"]
        assert process.returncode == 128 + signal.SIGTERM
        assert not (tmp_path / "f").exists()

    @pytest.mark.parametrize("command", [MODULE, (*MODULE, "-w", 2), VERB])
    def test_an_interruption(self, synthetic_tape_root, start, tmp_path, command):
        settings = {"tape.path": synthetic_tape_root, "features.path": tmp_path / "f", "features.sampling": "update"}
        settings["features.zscore_window"] = 100_000
        process = start(settings, *command)
        wait = time.monotonic() + 60
        while not (tmp_path / "f").exists():  # the flow is being built
            assert process.poll() is None
            assert time.monotonic() < wait
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        asked = time.monotonic()
        stdout, stderr = process.communicate(timeout=120)
        assert time.monotonic() - asked < 5
        assert (process.returncode, stdout) == (130, "")
        assert told(stderr) == ["tickwax: interrupted; nothing was written"]
        assert list(tmp_path.iterdir()) == []


def test_the_verb_tells_what_it_did(synthetic_tape_root, alone, start, tmp_path):
    out = tmp_path / "f"
    flags = ["--tape", synthetic_tape_root, "--features", out, "--symbols", f"{BTC},bybit_linear:*", "-w", 2]
    process = start({"tape.path": "nowhere"}, *VERB, *flags)
    stdout, stderr = process.communicate(timeout=120)
    assert (process.returncode, told(stderr)) == (0, [])
    rows = sum(whole_tape(synthetic_tape_root, i).rows for i in (BTC, BYBIT_BTC, BYBIT_ETH))
    assert f"replayed {rows:,} tape rows" in stdout
    assert "0 resets" in stdout
    count = sum(table(out, i).num_rows for i in (BTC, BYBIT_BTC, BYBIT_ETH))
    assert f" {count:,} " in stdout
    for instrument in (BTC, BYBIT_BTC, BYBIT_ETH):
        assert_same(table(out, instrument), table(alone / "features", instrument))


def test_a_tape_with_missing_rows_is_refused(start, tmp_path):
    """A lost file must not look like a quiet market."""
    instrument = Instrument("binance_futures", "BTCUSDT")
    batch = concat(list(synthetic_tape(SyntheticMarket(instrument, 3, START_NS), START_NS + 5 * SECOND)))
    for name, keep, says in (
        ("hole", np.r_[0:500, 900 : batch.rows], "row 500: ordinal 900 does not follow 499; rows are missing"),
        ("head", np.r_[600 : batch.rows], "row 0: rows before ordinal 600 are missing"),
    ):
        with TapeWriter(tmp_path / name, "t") as writer:
            writer.write(instrument, TapeBatch(*(column[keep] for column in batch)))
        process = start({"tape.path": tmp_path / name, "features.path": tmp_path / "f"}, *MODULE)
        _, stderr = process.communicate(timeout=60)
        assert (process.returncode, len(told(stderr))) == (1, 1)
        assert says in stderr
        assert list(instruments(tmp_path / "f")) == []


def test_a_thin_tape_completes_a_bounded_number_of_rows_at_a_time(tmp_path):
    """One tape row every 20 s is 200 feature rows: 5 000 of them are a million, but never at once."""
    n = 5000
    ts = START_NS + 20 * SECOND * np.arange(n)
    same = {"ordinal": np.arange(n), "exchange_ts": ts, "receive_ts": ts, "sequence": np.arange(n)}
    batch = tape_batch(**same, kind=[DELTA] * n, side=[1] * n, price=[1.0] * n, size=[1.0] * n, last=[True] * n)
    parts = list(cut(batch, 2000 * SECOND))
    assert len(parts) == n // 100
    assert np.concatenate([part.ordinal for part in parts]).tolist() == list(range(n))
    assert all(np.ptp(part.exchange_ts) < 2000 * SECOND for part in parts)
    assert len(list(cut(batch, 0))) == 1
