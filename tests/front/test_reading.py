"""Data sets, tapes and books as frames and arrays."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tickwax as tw
from operators.config import FeatureConfig
from operators.dictionary import entries
from sources.tape.layout import data_files
from sources.tape.schema import to_arrow
from tests.dataflows.conftest import INSTRUMENTS, MIDNIGHT, SECOND
from tests.dataflows.test_replay import assert_same, bits, table, whole_tape
from tests.front.conftest import COMMAND
from tests.front.test_replay import KEYS, of

BTC, ETH = INSTRUMENTS[:2]


class TestFeatures:
    def test_columns_symbols_and_times(self, commanded):
        whole = tw.read_features(commanded / "features")
        start, end = MIDNIGHT - SECOND, MIDNIGHT + 2 * SECOND  # two dates
        part = tw.read_features(
            str(commanded / "features"), columns=["fdi", "exchange", "mid"], symbols=[str(ETH), "bybit_linear:*"],
            start=str(np.datetime64(start, "ns")), end=str(np.datetime64(end, "ns")),
        )  # fmt: skip
        assert part.column_names == [*KEYS, "fdi", "mid"]
        for instrument in (ETH, *INSTRUMENTS[3:]):
            own = of(whole, instrument)
            ts = own["ts"].cast(pa.int64()).to_numpy()
            inside = own.filter(pa.array((ts >= start) & (ts < end)))
            assert inside.num_rows == 30
            for name in ("fdi", "mid"):
                assert bits(of(part, instrument)[name]) == bits(inside[name])
        assert part.num_rows == 90

    def test_books_are_a_data_set_as_well(self, commanded):
        assert_same(of(tw.read_features(commanded / "books"), BTC), table(commanded / "books", BTC))

    def test_no_row_in_the_range(self, commanded):
        assert tw.read_features(commanded / "features", start="2027-01-01").num_rows == 0

    def test_refusals(self, commanded):
        for arguments, says in (
            ({"path": "nowhere"}, "path: nowhere holds no data set"),
            ({"symbols": "bybit_linear:X"}, "symbols: bybit_linear:X is not in "),
            ({"columns": ["midd"]}, "columns: 'midd' is not in .*; did you mean mid?"),
        ):
            with pytest.raises(tw.TickwaxError, match=f"^{says}"):
                tw.read_features(**({"path": commanded / "features"} | arguments))
        with pytest.raises(ValueError, match=r"^end: 'soon' is not an ISO 8601 time"):
            tw.read_features(commanded / "features", end="soon")

    def test_a_damaged_file_is_refused(self, commanded, tmp_path):
        file = data_files(commanded / "features", BTC)[0]
        copy = tmp_path / file.relative_to(commanded)
        copy.parent.mkdir(parents=True)
        content = bytearray(file.read_bytes())
        content[2000] ^= 1
        copy.write_bytes(content)
        with pytest.raises(tw.TickwaxError, match=r"\.parquet: row group 0: column '\w+': damaged"):
            tw.read_features("features")

    def test_files_of_other_columns_are_refused(self, commanded, tmp_path):
        for instrument, names in ((BTC, ["ts", "mid", "fdi"]), (ETH, ["ts", "mid"])):
            file = data_files(commanded / "features", instrument)[0]
            copy = tmp_path / file.relative_to(commanded)
            copy.parent.mkdir(parents=True)
            pq.write_table(pq.ParquetFile(file).read(names), copy)
        with pytest.raises(tw.TickwaxError, match="no column 'fdi', though other files have it"):
            tw.read_features("features")
        assert tw.read_features("features", columns=["mid"]).num_rows > 0


class TestTape:
    def test_every_row(self, synthetic_tape_root):
        rows = tw.read_tape(synthetic_tape_root)
        for instrument in INSTRUMENTS:
            expected = pa.Table.from_batches([to_arrow(whole_tape(synthetic_tape_root, instrument))])
            assert of(rows, instrument).equals(expected)
        assert tw.read_tape(synthetic_tape_root, as_="polars").height == rows.num_rows

    def test_a_range_begins_where_it_is_said_to(self, synthetic_tape_root):
        rows = tw.read_tape(synthetic_tape_root, symbols=str(BTC), start="2026-01-05", end="2026-01-05T00:00:01Z")
        received = rows["receive_ts"].cast(pa.int64()).to_numpy()
        whole = tw.read_tape(synthetic_tape_root, symbols=str(BTC))
        all_received = whole["receive_ts"].cast(pa.int64()).to_numpy()
        assert received[0] == all_received[all_received >= MIDNIGHT][0]
        assert received[-1] < MIDNIGHT + SECOND
        assert rows["ordinal"][0].as_py() > 0

    def test_refusals(self, synthetic_tape_root):
        with pytest.raises(tw.TickwaxError, match=r"^tape: nowhere holds no tape"):
            tw.read_tape("nowhere")
        with pytest.raises(ValueError, match=r"^start: "):
            tw.read_tape(synthetic_tape_root, start="x")


class TestBooks:
    @pytest.mark.parametrize("sampling", ["100ms", "update"])
    def test_both_forms_are_the_data_set(self, synthetic_tape_root, sampling):
        tw.replay(synthetic_tape_root, symbols=str(ETH), sampling=sampling, to="f", books="b")
        expected = table(Path("b"), ETH)
        arrays = tw.book_arrays(synthetic_tape_root, str(ETH), sampling=sampling)
        one_by_one = list(tw.books(synthetic_tape_root, str(ETH), sampling=sampling))
        assert arrays.ts.view(np.int64).tolist() == expected["ts"].cast(pa.int64()).to_pylist()
        assert arrays.ordinal.tolist() == expected["ordinal"].to_pylist()
        for group in ("bid_price", "bid_size", "ask_price", "ask_size"):
            values = getattr(arrays, group)
            assert values.shape == (expected.num_rows, 20)
            for m in range(20):
                assert bits(pa.chunked_array([values[:, m].copy()])) == bits(expected[f"{group}_{m}"])
            for n, book in enumerate(one_by_one):
                own = getattr(book, group)
                assert own.tolist() == values[n, : len(own)].tolist()
                assert np.isnan(values[n, len(own) :]).all()
        assert [book.ordinal for book in one_by_one] == arrays.ordinal.tolist()
        assert (arrays.ts == [book.ts for book in one_by_one]).all()
        features = tw.read_features("f", columns=["mid", "spread"])
        assert [book.mid for book in one_by_one] == features["mid"].to_pylist()
        assert [book.spread for book in one_by_one] == features["spread"].to_pylist()

    def test_a_range_and_levels(self, synthetic_tape_root):
        whole = tw.book_arrays(synthetic_tape_root, str(BTC), sampling="300ms")
        part = tw.book_arrays(synthetic_tape_root, str(BTC), sampling="300ms", start="2026-01-05", levels=3)
        assert 0 < len(part.ts) < len(whole.ts)
        assert (part.bid_price == whole.bid_price[-len(part.ts) :, :3]).all()

    def test_refusals(self, synthetic_tape_root):
        for arguments, says in (
            ({}, "symbol: None is not one instrument; the tape holds binance_futures:BTCUSDT, "),
            ({"symbol": "bybit_linear:*"}, "symbol: 'bybit_linear:\\*' is not one instrument; the tape holds bybit"),
            ({"symbol": str(BTC), "levels": 21}, "levels: 21 is above 20"),
            ({"symbol": str(BTC), "sampling": "x"}, "sampling: 'x' is not a duration"),
            ({"symbol": str(BTC), "max_hold": "x"}, "max_hold: 'x' is not a duration"),
        ):
            with pytest.raises(ValueError, match=f"^{says}"):
                tw.books(synthetic_tape_root, **arguments)  # at once, not with the first book
        with pytest.raises(tw.TickwaxError, match=r"^symbol: bybit_linear:X is not on the tape"):
            tw.book_arrays(synthetic_tape_root, "bybit_linear:X")


class TestDictionary:
    def test_it_is_a_view(self):
        rows = tw.features_dictionary(windows=["2s"], depths=[1, 7]).to_pylist()
        config = FeatureConfig(windows=(("2s", 2 * SECOND),), depths=(1, 7))
        said = [entry for entry in entries(config) if entry.data_set == "features"]
        assert [(row.pop("column"), row.pop("type")) for row in rows] == [(each.name, each.type) for each in said]
        assert rows == [each.description._asdict() for each in said]
        warm = tw.features_dictionary(as_="pandas").set_index("column")["warm"]
        assert (warm["price_ffd"], warm["ofi_z_l5_1s"] & 2) == (4, 2)

    def test_its_columns_are_those_of_a_frame(self, synthetic_tape_root):
        frame = tw.replay(synthetic_tape_root, symbols=str(BTC), windows=["2s"], depths=[1, 7])
        assert tw.features_dictionary(windows=["2s"], depths=[1, 7])["column"].to_pylist() == frame.column_names[2:]


class TestSynthetic:
    @pytest.mark.slow
    def test_it_is_what_the_command_writes(self, start):
        symbols = [str(BTC), str(INSTRUMENTS[3])]
        process = start(
            {}, *COMMAND, "synth", "--tape", "a", "--symbols", ",".join(symbols), "--span", "3s", "--seed", 5
        )
        assert process.wait(timeout=120) == 0
        assert tw.synthetic_tape("b", symbols=symbols, span="3s", seed=5) == Path("b")
        assert tw.read_tape("a").equals(tw.read_tape("b"))
        assert tw.read_tape("b")["exchange"].unique().to_pylist() == ["binance_futures", "bybit_linear"]

    def test_refusals(self):
        for arguments, says in (
            ({"span": "long"}, "span: 'long' is not a duration"),
            ({"seed": "x"}, "seed: 'x' is not an integer"),
            ({"symbols": "bybit_linear:*"}, "symbols: "),
            ({"tape": ""}, "tape: '' is not"),
        ):
            with pytest.raises(ValueError, match=f"^{says}"):
                tw.synthetic_tape(**({"tape": "t"} | arguments))
        assert os.listdir() == []
        tw.synthetic_tape("t", span="1s")
        with pytest.raises(tw.TickwaxError, match=r"^tape: t holds binance_futures:BTCUSDT already"):
            tw.synthetic_tape("t")


def test_what_reads_a_folder_is_said(synthetic_tape_root, tmp_path):
    features = tw.replay(synthetic_tape_root, to=tmp_path / "features")
    with pytest.raises(tw.TickwaxError, match=r"holds a tape; read_tape reads it"):
        tw.read_features(synthetic_tape_root)
    with pytest.raises(tw.TickwaxError, match=r"tape: .* holds features, not a tape; read_features reads it"):
        tw.read_tape(features)
    with pytest.raises(ValueError, match=r"symbols: nan is no name of an instrument"):
        tw.read_features(features, symbols=float("nan"))
