"""``tickwax export``: what a tape becomes for other programs."""

from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from dataflows.command_line.app import app
from dataflows.command_line.verbs import exporting, synth  # noqa: F401  # adds the verbs
from sources.errors import TickwaxError

SYMBOLS = "binance_futures:BTCUSDT,bybit_linear:ETHUSDT"


def run(*words: str) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "tape"
    run("synth", "--tape", str(path), "--symbols", SYMBOLS, "--span", "30s")
    return path


class TestBars:
    def test_minutes_of_two_instruments(self, tape: Path, tmp_path: Path) -> None:
        out = tmp_path / "bars"
        run("export", "bars", "--tape", str(tape), "--kind", "time", "--size", "5s", "--out", str(out))
        bars = pl.read_parquet(out)
        trades = pl.read_parquet(tape).filter(pl.col("kind") == "trade")
        assert bars.group_by("symbol").len().sort("symbol").rows() == [("BTCUSDT", 5), ("ETHUSDT", 5)]
        for symbol in ("BTCUSDT", "ETHUSDT"):
            theirs = trades.filter(pl.col("symbol") == symbol).with_columns(
                interval=pl.col("exchange_ts").dt.truncate("5s")
            )
            expected = (
                theirs.group_by("interval")
                .agg(
                    open=pl.col("price").first(), high=pl.col("price").max(), low=pl.col("price").min(),
                    close=pl.col("price").last(), trades=pl.len().cast(pl.Int64), volume=pl.col("size").sum(),
                )
                .sort("interval")[:5]
            )  # fmt: skip
            found = bars.filter(pl.col("symbol") == symbol).sort("ts")
            assert found["open_ts"].to_list() == expected["interval"].to_list()
            for name in ("open", "high", "low", "close", "trades"):
                assert found[name].to_list() == expected[name].to_list()
            assert found["volume"].to_list() == pytest.approx(expected["volume"].to_list(), rel=1e-12)
            assert (found["vwap"] * found["volume"]).to_list() == pytest.approx(found["notional"].to_list(), rel=1e-12)

    def test_a_range_begins_its_own_bars(self, tape: Path, tmp_path: Path) -> None:
        everything, part = tmp_path / "all", tmp_path / "part"
        words = ("export", "bars", "--tape", str(tape), "--kind", "time", "--size", "1s", "--symbols",
                 "bybit_linear:ETHUSDT")  # fmt: skip
        run(*words, "--out", str(everything))
        run(*words, "--out", str(part), "--start", "2026-01-05T00:00:10Z", "--end", "2026-01-05T00:00:20Z")
        whole, cut = pl.read_parquet(everything).sort("ts"), pl.read_parquet(part).sort("ts")
        inside = cut[1:-1]  # the first and the last second are cut by the receive time of the range
        assert inside.height >= 7
        assert whole.filter(pl.col("ts").is_in(inside["ts"].implode())).equals(inside)

    def test_what_is_there_stays(self, tape: Path, tmp_path: Path) -> None:
        words = ("export", "bars", "--tape", str(tape), "--kind", "tick", "--out", str(tmp_path / "bars"))
        run(*words, "--size", "10")
        before = pl.read_parquet(tmp_path / "bars")
        with pytest.raises(TickwaxError, match=r"holds rows of .* already; name another folder"):
            run(*words, "--size", "10")
        with pytest.raises(TickwaxError, match="is not a number"):
            run(*words, "--size", "1m")
        with pytest.raises(TickwaxError, match="size: no tick bar of 1e\\+09 is complete on this tape"):
            run(*words, "--size", "1e9", "--overwrite")
        assert pl.read_parquet(tmp_path / "bars").equals(before)
        run(*words, "--size", "20", "--overwrite")
        assert pl.read_parquet(tmp_path / "bars").height < before.height
