"""``features.unknown``: nulls in place of NaN, and nothing else."""

from pathlib import Path

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest

from sources.errors import TickwaxError
from tests.dataflows.test_export import run


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("unknown")
    run("synth", "--tape", str(root / "tape"), "--symbols", "binance_futures:BTCUSDT", "--span", "40s")
    with pytest.MonkeyPatch.context() as patch:
        for unknown in ("nan", "null"):
            patch.setenv("TICKWAX_FEATURES__UNKNOWN", unknown)
            run("replay", "--tape", str(root / "tape"), "--features", str(root / unknown),
                "--books", str(root / f"{unknown}-books"))  # fmt: skip
    return root


@pytest.mark.parametrize("books", ["", "-books"])
def test_nulls_stand_where_nan_stood(folders: Path, books: str) -> None:
    plain, nulls = (pl.read_parquet(folders / (unknown + books)) for unknown in ("nan", "null"))
    floats = [name for name, kind in plain.schema.items() if kind == pl.Float64]
    assert plain.select(pl.sum_horizontal(pl.col(floats).is_nan().sum())).item() > (0 if not books else -1)
    assert plain.with_columns(pl.col(floats).fill_nan(None)).equals(nulls, null_equal=True)
    assert not nulls.select(pl.any_horizontal(pl.col(floats).is_nan().any())).item()
    field = pq.read_schema(next((folders / ("null" + books)).rglob("*.parquet"))).field(floats[0])
    assert field.nullable


def test_averages_are_what_one_means(folders: Path) -> None:
    average = duckdb.sql(f"select avg(fdi) from '{folders}/null/*/*/*/*.parquet'").fetchall()
    known = pl.read_parquet(folders / "nan")["fdi"].fill_nan(None).drop_nulls()
    assert len(known) > 0
    assert average[0][0] == pytest.approx(known.mean())


def test_one_folder_holds_one_of_the_two(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("synth", "--tape", str(folders / "tape2"), "--symbols", "binance_futures:ETHUSDT", "--span", "5s")
    monkeypatch.setenv("TICKWAX_FEATURES__UNKNOWN", "null")
    with pytest.raises(TickwaxError, match=r"features\.unknown"):
        run("replay", "--tape", str(folders / "tape2"), "--features", str(folders / "nan"))
