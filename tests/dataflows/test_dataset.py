"""`tickwax dataset` as its users run it: labels that the oracle confirms, workers, and what goes wrong."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import tickwax as tw
from dataflows.assembly.synthetic_tape import write_synthetic_tape
from dataflows.command_line.jobs.dataset import dataset
from dataflows.command_line.verbs import app
from sources.errors import TickwaxError
from sources.instrument import Instrument
from tests.commands import run
from tests.conftest import ROOT
from tests.dataflows.conftest import MIDNIGHT, environment
from tests.oracle.labels import KEPT, Row, Rules, labels

pytestmark = pytest.mark.slow

BTC, ETH = "binance_futures:BTCUSDT", "bybit_linear:ETHUSDT"
INSTRUMENTS = [Instrument.parse(BTC), Instrument.parse(ETH)]
NS = 1_000_000_000


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tape of two instruments, and its features with short windows."""
    root = tmp_path_factory.mktemp("dataset")
    write_synthetic_tape(root / "tape", INSTRUMENTS, 25 * NS, 3, start_ns=MIDNIGHT)
    tw.replay(root / "tape", to=root / "features", windows=["1s"], fdi_window=5, volatility_window=20)
    return root


def settings_of(market: Path, out: Path, **more: object) -> dict[str, object]:
    """Settings by dotted key; in ``more`` a dot is two underscores."""
    return {
        "features.path": str(market / "features"), "tape.path": str(market / "tape"), "dataset.path": str(out),
        "dataset.columns": ["mid", "ofi_l5_1s", "regime", "trade_count"], "horizons": ["500ms", "2s"],
        "barrier.horizon": "3s", **{key.replace("__", "."): value for key, value in more.items()},
    }  # fmt: skip


def rows(root: Path) -> pl.DataFrame:
    table = pl.scan_parquet(root / "**/*.parquet", hive_partitioning=True).collect()
    return table.sort("exchange", "symbol", "ts", "ordinal")


@pytest.fixture(scope="module")
def labelled(market: Path) -> Path:
    dataset(settings_of(market, market / "labelled"), 1)
    return market / "labelled"


@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT"])
def test_the_oracle_agrees(market: Path, labelled: Path, symbol: str) -> None:
    of = pl.col("symbol") == symbol
    features, got = rows(market / "features").filter(of), rows(labelled).filter(of)
    assert got.columns[:-3] == [
        "ts", "receive_ts", "ordinal", "mid", "ofi_l5_1s", "trade_count", "regime", "warm", "ret_500ms", "ret_2s",
        "barrier", "barrier_end", "label_end", "weight", "group",
    ]  # fmt: skip
    needs = 1 | 16 | 32 | 64
    part = [
        Row(r["ts"], r["mid"], r["bid_price"], r["ask_price"], r["volatility"], r["warm"] & needs == needs)
        for r in features.with_columns(pl.col("ts").dt.timestamp("ns")).to_dicts()
    ]
    rules = Rules((NS // 2, 2 * NS), 0, 3 * NS, 1.0, False, NS // 10)
    found = labels(part, rules, part[-1].ts)
    kept = [(i, label) for i, label in enumerate(found) if label.why == KEPT]
    assert 100 < len(kept) < len(part)
    assert {label.barrier for _, label in kept} >= {1, -1}
    expected = features[[i for i, _ in kept]]
    for name in ("ts", "receive_ts", "ordinal", "mid", "ofi_l5_1s", "trade_count", "regime", "warm"):
        assert got[name].to_list() == expected[name].to_list(), name
    assert got["barrier"].to_list() == [label.barrier for _, label in kept]
    assert got["barrier_end"].dt.timestamp("ns").to_list() == [label.barrier_end for _, label in kept]
    assert got["label_end"].dt.timestamp("ns").to_list() == [label.end for _, label in kept]
    assert got["ret_2s"].to_list() == [label.returns[1] for _, label in kept]
    assert got["weight"].to_list() == pytest.approx([label.weight for _, label in kept], rel=1e-13)
    assert set(got["group"]) == {0}


def test_what_was_left_out_is_told(market: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset(settings_of(market, tmp_path / "d", symbols=[BTC]), 1)
    said = capsys.readouterr().out
    table = rows(tmp_path / "d")
    features = rows(market / "features").filter(pl.col("symbol") == "BTCUSDT")
    line = next(line for line in said.splitlines() if line.lstrip().startswith(BTC))
    numbers = [int(text.replace(",", "")) for text in line.split()[1:]]
    assert numbers[:2] == [len(features), len(table)]
    assert sum(numbers[2:6]) == len(features) - len(table)
    assert 20 <= numbers[5] <= 30  # `cut`: 2 s of a row every 100 ms, and 3 s of those that touch no barrier
    assert "rows that lack a bit of `warm`: 1 in" in said


def test_workers_change_nothing(market: Path, labelled: Path, tmp_path: Path) -> None:
    dataset(settings_of(market, tmp_path / "many"), 3)
    assert rows(tmp_path / "many").equals(rows(labelled))


def module(settings: dict[str, object]) -> subprocess.CompletedProcess[str]:
    texts = {key: json.dumps(value) if isinstance(value, list) else value for key, value in settings.items()}
    command = [sys.executable, "-m", "bytewax.run", "dataflows.dataset"]
    return run(command, env=environment(texts), cwd=ROOT)


def test_the_module_gives_the_same(market: Path, labelled: Path, tmp_path: Path) -> None:
    done = module(settings_of(market, tmp_path / "module"))
    assert done.returncode == 0, done.stderr
    assert f"{BTC}: " in done.stderr
    assert rows(tmp_path / "module").equals(rows(labelled))


def test_a_file_tells_its_settings_and_columns(labelled: Path) -> None:
    file = next(labelled.glob("**/*.parquet"))
    schema = pq.read_schema(file)
    assert schema.metadata[b"tickwax.data_set"] == b"dataset"
    told = schema.metadata[b"tickwax.settings"].decode()
    for key in ('"barrier.horizon": "3s"', '"features.volatility_window": "20"', '"horizons": "500ms, 2s"'):
        assert key in told
    assert schema.field("weight").metadata[b"definition"].startswith(b"average uniqueness")


def test_rows_are_not_replaced_unless_told(market: Path, labelled: Path, tmp_path: Path) -> None:
    out = tmp_path / "d"
    shutil.copytree(labelled, out)
    with pytest.raises(TickwaxError, match=r"holds rows of .* or set dataset.overwrite=true$"):
        dataset(settings_of(market, out), 1)
    wider = settings_of(market, out, barrier__width=2.0, dataset__overwrite=True)
    with pytest.raises(TickwaxError, match=r"barrier.width was 1.0 and is 2.0"):
        dataset({**wider, "symbols": [BTC]}, 1)
    assert rows(out).equals(rows(labelled))
    dataset(wider, 1)
    assert not rows(out).equals(rows(labelled))


def test_the_features_of_another_tape_are_refused(market: Path, tmp_path: Path) -> None:
    """By the module, since the run ends its process."""
    write_synthetic_tape(tmp_path / "tape", INSTRUMENTS, 25 * NS, 4, start_ns=MIDNIGHT)
    done = module(settings_of(market, tmp_path / "d", tape__path=str(tmp_path / "tape")))
    assert done.returncode != 0
    assert len(done.stderr.splitlines()) == 1
    assert "they are of another tape" in done.stderr
    assert not list((tmp_path / "d").rglob("*.parquet"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"dataset.columns": ["ofi_l5_2s"]}, "dataset.columns: 'ofi_l5_2s' is not in"),
        ({"horizons": ["1s", "1s"]}, "horizons: '1s' stands twice"),
        ({"horizons": ["1s"], "label.latency": "1s"}, "horizons: '1s' is not above label.latency"),
        ({"barrier.horizon": "50ms"}, "barrier.horizon: 50000000 ns is shorter than features.sampling"),
        ({"barrier.width": 0.0}, "barrier.width: 0.0 is not a positive number"),
        ({"barrier.prices": "last"}, "barrier.prices: 'last' is not"),
        ({"dataset.path": "{market}/features"}, "dataset.path: {market}/features holds features, not dataset"),
        ({"dataset.path": "{market}/tape/inner"}, "dataset.path: {market}/tape/inner lies inside the data set"),
        ({"features.path": "{market}/nothing"}, "features.path: {market}/nothing holds no features"),
        ({"features.path": ""}, "features.path: empty; labels need features"),
        ({"symbols": ["binance_futures:NOPE"]}, "symbols: binance_futures:NOPE is not on the tape"),
    ],
)
def test_what_is_wrong_is_one_line(market: Path, tmp_path: Path, change: dict[str, object], says: str) -> None:
    named = {k: v.format(market=market) if isinstance(v, str) else v for k, v in change.items()}
    with pytest.raises(TickwaxError) as raised:
        dataset({**settings_of(market, tmp_path / "d"), **named}, 1)
    assert str(raised.value).startswith(says.format(market=market))
    assert len(str(raised.value).splitlines()) == 1
    assert not (tmp_path / "d").exists()


def test_no_label_is_no_data_set(market: Path, tmp_path: Path) -> None:
    with pytest.raises(TickwaxError, match=r"^no row has labels: \d+ feature rows, left out: \d+ cold, \d+ cut$"):
        dataset(settings_of(market, tmp_path / "d", horizons=["60s"]), 1)
    assert not list((tmp_path / "d").rglob("*.parquet"))


def test_the_verb_sets_what_it_names(market: Path, tmp_path: Path, labelled: Path) -> None:
    flags = {
        "--features": market / "features", "--tape": market / "tape", "--out": tmp_path / "d",
        "--columns": "mid,ofi_l5_1s,regime,trade_count", "--horizons": "500ms,2s", "--barrier": "3s",
    }  # fmt: skip
    done = CliRunner().invoke(app, ["dataset", *(str(word) for pair in flags.items() for word in pair)])
    assert done.exit_code == 0, done.output
    assert rows(tmp_path / "d").equals(rows(labelled))
