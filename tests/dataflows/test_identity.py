"""Data sets say what they are; rows of two meanings never stand side by side."""

import json
import shutil
from pathlib import Path

import duckdb
import pandas
import polars
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest
from bytewax.run import cli_main

from dataflows.assembly.live import prepare_live
from dataflows.assembly.replay import prepare_replay
from dataflows.settings.model import load_settings
from operators.config import FeatureConfig
from operators.dictionary import describe
from operators.identity import feature_settings
from operators.schema import book_columns, feature_columns
from sinks.identity import settings_in
from sinks.optimal_d import write_fractional_orders
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.layout import data_files
from sources.tape.schema import TAPE_SCHEMA
from tests.dataflows.conftest import INSTRUMENTS

BTC, ETH = INSTRUMENTS[0], INSTRUMENTS[1]


def replay(tape: Path, features: Path, **flags: object) -> None:
    settings = {"tape.path": str(tape), "features.path": str(features), "symbols": [str(BTC), str(ETH)]}
    run = prepare_replay(load_settings(settings | {key.replace("__", "."): value for key, value in flags.items()}))
    try:
        cli_main(run.flow)
        run.commit()
    except BaseException:
        run.abort()
        raise


@pytest.fixture(scope="module")
def written(synthetic_tape_root, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("written")
    replay(synthetic_tape_root, out / "features", books__path=str(out / "books"))
    return out


def test_every_file_says_what_it_is(written, synthetic_tape_root):
    edge = {"synthetic.edge": "unmeasured"}
    for root, name, settings in (
        (written / "features", "features", feature_settings(FeatureConfig()) | edge),
        (written / "books", "books", {"features.max_hold": "1m", "features.sampling": "100ms"} | edge),
        (synthetic_tape_root, "tape", edge),
    ):
        for file in data_files(root, BTC):
            metadata = {key.decode(): value.decode() for key, value in pq.ParquetFile(file).metadata.metadata.items()}
            assert metadata["tickwax.data_set"] == name
            assert metadata["tickwax.schema_version"] == "1"
            assert metadata["tickwax.engine_version"] == "0.1.0"
            assert json.loads(metadata["tickwax.settings"]) == settings
            column = "receive_ts" if name == "tape" else "ts"
            times = pq.ParquetFile(file).read([column])[column].to_pandas()
            span = json.loads(metadata["tickwax.span"])
            assert [span["from"], span["to"]] == [str(times.min().to_datetime64()), str(times.max().to_datetime64())]


def test_columns_say_their_unit_and_definition(written, synthetic_tape_root):
    for root, name in ((written / "features", "features"), (written / "books", "books"), (synthetic_tape_root, "tape")):
        schema = pq.read_schema(data_files(root, BTC)[0])
        for field in schema:
            own = {k.decode(): v.decode() for k, v in field.metadata.items() if k != b"PARQUET:field_id"}
            assert own == describe(field.name, name).metadata()
            assert own["unit"] == describe(field.name, name).unit
            assert own["definition"] == describe(field.name, name).definition


def with_older_metadata(root: Path, out: Path) -> Path:
    """A copy of a data set in which one of the files of BTC describes its columns as older versions did, and one of ETH
    does not describe them."""
    shutil.copytree(root, out)
    for file, described in ((data_files(out, BTC)[0], True), (data_files(out, ETH)[0], False)):
        table = pq.ParquetFile(file).read()
        fields = [
            f.with_metadata({"unit": "a unit", "definition": "as it was"} if described else None) for f in table.schema
        ]
        pq.write_table(table.cast(pa.schema(fields, table.schema.metadata)), file)
        own = pq.read_schema(file).field("ordinal").metadata or {}
        assert own.get(b"definition") == (b"as it was" if described else None)
        assert b"reads" not in own
    return out


def test_files_of_older_metadata_are_read_beside_new_ones(written, synthetic_tape_root, tmp_path):
    features = with_older_metadata(written / "features", tmp_path / "features")
    tape = with_older_metadata(synthetic_tape_root, tmp_path / "tape")
    for root, was, column in ((features, written / "features", "ofi_l5_1s"), (tape, synthetic_tape_root, "price")):
        keys = "exchange, symbol, ordinal"
        found, expected = (
            duckdb.sql(f"SELECT {keys}, {column} FROM '{folder}/*/*/*/*.parquet' ORDER BY ALL").fetchall()
            for folder in (root, was)
        )
        assert found == expected
        rows = polars.scan_parquet(root, hive_partitioning=True).collect()
        assert rows.select("exchange", "symbol", "ordinal", column).sort(polars.all()).rows() == expected
        assert sorted(pandas.read_parquet(root)[column]) == sorted(row[-1] for row in expected)
        assert sorted(pads.dataset(root).to_table()[column].to_pylist()) == sorted(row[-1] for row in expected)
    replay(tape, tmp_path / "again")
    for file, was in zip(data_files(tmp_path / "again", BTC), data_files(written / "features", BTC), strict=True):
        frames = (pq.ParquetFile(path).read().to_pandas() for path in (file, was))
        pandas.testing.assert_frame_equal(*frames, check_exact=True)
    replay(synthetic_tape_root, features, symbols=[str(ETH)], features__overwrite=True)  # BTC's stay beside them


def test_every_column_is_described():
    config = FeatureConfig(depths=(1, 3, 25), windows=(("1.5s", 1_500_000_000), ("30s", 30_000_000_000)))
    names = {c.name for c in [*feature_columns(config), *book_columns()]} | set(TAPE_SCHEMA.names)
    assert all(describe(name, "features", "books", "tape").definition for name in names)
    with pytest.raises(KeyError):
        describe("prediction")


def test_other_readers_are_not_disturbed(written):
    pattern = f"{written}/features/*/*/*/*.parquet"
    assert (
        duckdb.sql(f"select count(*) from '{pattern}'").fetchall()[0][0]
        == polars.scan_parquet(written / "features", hive_partitioning=True).select(polars.len()).collect().item()
    )


@pytest.mark.parametrize(("key", "value", "was", "now"), [
    ("features.sampling", "1s", "100ms", "1s"), ("features.price_d", 0.3, "0.4", "0.3"),
    ("features.zscore_window", 900, "1000", "900"), ("features.fdi_method", "madogram", "variogram", "madogram"),
    ("features.max_hold", "30s", "1m", "30s"), ("features.ofi", "depth", "cont", "depth"),
])  # fmt: skip
def test_other_settings_are_refused_by_their_difference(synthetic_tape_root, tmp_path, key, value, was, now):
    replay(synthetic_tape_root, tmp_path, symbols=[str(BTC)])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    flags = {key.replace(".", "__"): value}
    with pytest.raises(TickwaxError, match=f"{key} was {was} and is {now}; write to a new folder"):
        replay(synthetic_tape_root, tmp_path, symbols=[str(ETH)], **flags)
    with pytest.raises(TickwaxError, match=f"{key} was {was} and is {now}"):
        replay(synthetic_tape_root, tmp_path, symbols=[str(ETH)], features__overwrite=True, **flags)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")} == before
    replay(synthetic_tape_root, tmp_path, symbols=[str(BTC)], features__overwrite=True, **flags)  # the only one
    assert settings_in(data_files(tmp_path, BTC)[0])[key] == now


def test_a_live_run_appends_to_its_own_settings_only(synthetic_tape_root, tmp_path):
    replay(synthetic_tape_root, tmp_path / "features", symbols=[str(BTC)])
    flags = {"tape.path": str(tmp_path / "tape"), "features.path": str(tmp_path / "features"), "symbols": [str(BTC)]}
    prepare_live(load_settings(flags)).release()
    for key, value in (("features.sampling", "1s"), ("features.price_d", 0.3)):
        with pytest.raises(TickwaxError, match=f"{key} was .* and is {value}"):
            prepare_live(load_settings(flags | {key: value}))


def test_files_of_an_older_version_are_read_and_not_written_beside(synthetic_tape_root, tmp_path):
    replay(synthetic_tape_root, tmp_path, symbols=[str(BTC)])
    for file in data_files(tmp_path, BTC):
        pq.write_table(pq.ParquetFile(file).read().replace_schema_metadata(None), file)
    with pytest.raises(TickwaxError, match="written by an older version, which did not note its settings"):
        replay(synthetic_tape_root, tmp_path, symbols=[str(ETH)])
    replay(synthetic_tape_root, tmp_path, symbols=[str(BTC)], features__overwrite=True)


def test_a_file_of_a_newer_version_is_refused(synthetic_tape_root, tmp_path):
    replay(synthetic_tape_root, tmp_path, symbols=[str(BTC)])
    for file in data_files(tmp_path, BTC):
        table = pq.ParquetFile(file).read()
        metadata = {**table.schema.metadata, b"tickwax.schema_version": b"99"}
        pq.write_table(table.replace_schema_metadata(metadata), file)
    with pytest.raises(TickwaxError, match="of schema version 99; this program reads up to 1"):
        replay(synthetic_tape_root, tmp_path, symbols=[str(ETH)])


def test_orders_belong_to_the_samples_they_were_chosen_on(synthetic_tape_root, tmp_path):
    from dataflows.assembly.optimal_d import fractional_order_config, fractional_order_identity
    from operators.fractional_order import FractionalOrder

    path = tmp_path / "d.parquet"
    settings = load_settings({"features.sampling": "100ms"})
    order = FractionalOrder("binance_futures", "BTCUSDT", "price", 500, 0, 1, 0.25, "")
    write_fractional_orders(
        path, [order], "100ms", fractional_order_identity(settings, fractional_order_config(settings))
    )
    with pytest.raises(TickwaxError, match=r"was made with features\.sampling 100ms, and it is 1s now"):
        replay(synthetic_tape_root, tmp_path / "f", features__d_file=str(path), features__sampling="1s")
    replay(synthetic_tape_root, tmp_path / "f", features__d_file=str(path), symbols=[str(BTC)])
    assert settings_in(data_files(tmp_path / "f", BTC)[0])["features.d_file.price_d"] == "0.25"
    replay(synthetic_tape_root, tmp_path / "f", symbols=[str(ETH)])  # each with its own order
    assert "features.d_file.price_d" not in settings_in(data_files(tmp_path / "f", ETH)[0])
    assert Instrument("binance_futures", "BTCUSDT") == BTC
