"""``tickwax inspect``: verdicts, forms, exit codes, and tapes that cannot be read."""

import json
import shutil
from pathlib import Path
from random import Random

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from dataflows.command_line.app import app
from dataflows.command_line.verbs import importing, inspecting, synth  # noqa: F401  # adds the verbs
from sources.errors import TickwaxError
from sources.tape.schema import TAPE_SCHEMA
from tests.damage.wounds import wound

SYMBOLS = ("binance_futures:BTCUSDT", "bybit_linear:ETHUSDT")


def run(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.stdout


def records(*words: str, code: int = 0) -> list[dict]:
    return [json.loads(line) for line in run("inspect", *words, "--json", code=code).splitlines()]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("inspect") / "tape"
    run("synth", "--tape", str(path), "--symbols", ",".join(SYMBOLS), "--span", "30s")
    return path


@pytest.fixture
def tape(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "tape"))


def data_file(tape: Path, symbol: str = "BTCUSDT") -> Path:
    (path,) = tape.glob(f"*/symbol={symbol}/*/*.parquet")
    return path


def rewritten(path: Path, rows: pl.DataFrame) -> None:
    """Write a data file of a tape, as another program would."""
    table = rows.select(pl.col(TAPE_SCHEMA.names)).with_columns(pl.col("kind").cast(pl.String)).to_arrow()
    columns = [
        table[f.name].cast(pa.string()).combine_chunks().dictionary_encode() if f.name == "kind"
        else table[f.name].cast(f.type)
        for f in TAPE_SCHEMA
    ]  # fmt: skip
    pq.write_table(pa.table(dict(zip(TAPE_SCHEMA.names, columns, strict=True))), path)


class TestVerdicts:
    def test_a_synthetic_market_is_good(self, tape: Path) -> None:
        found = records(str(tape))
        assert [f"{one['exchange']}:{one['symbol']}" for one in found] == list(SYMBOLS)
        rows = pl.read_parquet(tape).group_by("symbol", "kind").len()
        for one in found:
            assert (one["verdict"], one["reasons"], one["coverage"]) == ("good", [], 1.0)
            assert one["date"] == "2026-01-05"
            for kind in ("snapshot", "delta", "trade"):
                (n,) = rows.filter(symbol=one["symbol"], kind=kind)["len"]
                assert one[f"{kind}_rows"] == n

    def test_missing_rows_are_bad(self, tape: Path) -> None:
        path = data_file(tape)
        rows = pl.read_parquet(path, hive_partitioning=False)
        n = rows.height // 2
        reset = rows[n].with_columns(
            kind=pl.lit("reset").cast(rows.schema["kind"]), side=pl.lit(0, pl.Int8), price=0.0, size=0.0, last=True
        )
        rewritten(path, pl.concat([rows[: n - 10], reset, rows[n + 1 :]]))
        bad, good = records(str(tape), code=4)
        assert (bad["verdict"], good["verdict"]) == ("bad", "good")
        assert "10 rows are missing" in bad["reasons"]
        assert (bad["missing_rows"], bad["reset_rows"]) == (10, 1)
        assert [gap["causes"] for gap in bad["gaps"]] == [["reset", "missing"]]
        assert bad["unknown_delta_rows"] > 0  # no snapshot follows

    def test_limits_decide(self, tape: Path) -> None:
        assert {one["verdict"] for one in records(str(tape), "--latency", "0.0001,1", code=3)} == {"doubtful"}
        assert {one["verdict"] for one in records(str(tape), "--latency", "0.0001,0.0002", code=4)} == {"bad"}

    def test_a_range(self, tape: Path) -> None:
        words = (str(tape), "--symbols", SYMBOLS[0], "--start", "2026-01-05T00:00:10Z", "--end", "2026-01-05T00:00:20Z")
        (one,) = records(*words)
        whole = pl.read_parquet(data_file(tape))
        second = whole["receive_ts"].dt.second()
        expected = whole.filter((second >= 10) & (second < 20))
        assert one["rows"] == expected.height
        assert one["coverage"] == 1.0  # rows before the range made the book known
        assert one["first_ts"].startswith("2026-01-05T00:00:10.")
        assert one["span_s"] == pytest.approx(10, abs=0.1)


class TestRealCaptures:
    def test_binance_with_a_clock_that_is_behind(self, market_data: Path, tmp_path: Path) -> None:
        for name in ("btc", "eth"):
            run("import", "hftbacktest", str(market_data / "binance_usdm" / f"{name}usdt_20240808.gz"), "--venue",
                "binance_futures", "--symbol", f"{name.upper()}USDT", "--tape", str(tmp_path / "tape"))  # fmt: skip
        for one in records(str(tmp_path / "tape"), code=3):
            assert (one["verdict"], one["reasons"]) == ("doubtful", ["negative latencies 100 %, above 0.1 %"])
            assert -1300 < one["clock_offset_ms"] < -1200
            assert one["coverage"] > 0.999
            assert [gap["causes"] for gap in one["gaps"]] == [["start"]]
            assert (one["crossed_s"], one["far_prints"], one["price_jumps"]) == (0.0, 0, 0)

    def test_binance_of_2021_is_good(self, market_data: Path, tmp_path: Path) -> None:
        files = sorted(map(str, (market_data / "binance_usdm_2021").iterdir()))
        run("import", "cryptofeed", *files, "--tape", str(tmp_path / "tape"))
        found = records(str(tmp_path / "tape"))
        assert len(found) == 4
        assert all(one["verdict"] == "good" for one in found)

    def test_an_archive_of_books_has_no_trade(self, market_data: Path, tmp_path: Path) -> None:
        file = market_data / "bybit_linear" / "xrpusdt-ob500.data.zip"
        run("import", "bybit-archive", str(file), "--category", "linear", "--tape", str(tmp_path / "tape"))
        (one,) = records(str(tmp_path / "tape"), code=3)
        assert one["reasons"] == ["no trade"]


class TestForms:
    def test_json_opens_in_duckdb_and_polars(self, tape: Path, tmp_path: Path) -> None:
        (tmp_path / "days.jsonl").write_text(run("inspect", str(tape), "--json"))
        frame = pl.read_ndjson(tmp_path / "days.jsonl")
        table = duckdb.read_json(str(tmp_path / "days.jsonl"))
        assert sorted(table.columns) == sorted(frame.columns)
        kinds = dict(zip(table.columns, map(str, table.types), strict=True))
        assert (kinds["date"], kinds["coverage"], kinds["rows"]) == ("DATE", "DOUBLE", "BIGINT")
        assert [row[0] for row in table.select("symbol").fetchall()] == frame["symbol"].to_list()
        assert table.sum("rows").fetchall() == [(pl.read_parquet(tape).height,)]

    def test_the_page_needs_no_other(self, tape: Path, tmp_path: Path) -> None:
        page = tmp_path / "page.html"
        data_file(tape).rename(data_file(tape).with_name("a<b>.parquet"))
        path = data_file(tape)
        path.write_bytes(path.read_bytes()[:-100])
        run("inspect", str(tape), "--html", str(page), code=4)
        text = page.read_text()
        assert "a&lt;b&gt;.parquet" in text
        assert "<b>.parquet" not in text
        assert not any(word in text for word in ("http:", "https:", "src=", "<link", "@import", "url("))
        for symbol in SYMBOLS:
            assert symbol in text

    def test_the_terminal(self, tape: Path) -> None:
        text = run("inspect", str(tape))
        for symbol in SYMBOLS:
            (line,) = [line for line in text.splitlines() if line.startswith(symbol)]
            assert line.split()[1:3] == ["2026-01-05", "good"]


class TestDamage:
    def test_a_file_that_is_none(self, tape: Path) -> None:
        data_file(tape).write_bytes(b"nothing")
        bad, good = records(str(tape), code=4)
        assert (bad["symbol"], bad["date"], bad["verdict"], bad["rows"]) == ("BTCUSDT", "2026-01-05", "bad", None)
        assert data_file(tape).name in bad["reasons"][0]
        assert good["verdict"] == "good"

    @pytest.mark.parametrize("column", ["price", "size"])
    @pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
    def test_numbers_that_are_none(self, tape: Path, column: str, value: float) -> None:
        path = data_file(tape)
        rows = pl.read_parquet(path, hive_partitioning=False).with_row_index("n")
        hurt = pl.when(pl.col("n") == 1000).then(value).otherwise(pl.col(column)).alias(column)
        rewritten(path, rows.with_columns(hurt).drop("n"))
        bad, good = records(str(tape), code=4)
        assert f"row 1000: {column} {value}" in bad["reasons"][0]
        assert good["verdict"] == "good"

    def three_days(self, tape: Path) -> list[Path]:
        """The rows of the first day once more on two others."""
        first = data_file(tape)
        rows = pl.read_parquet(first, hive_partitioning=False)
        files = [first]
        for n in (1, 2):
            later = pl.duration(days=n)
            files.append(first.parent.with_name(f"date=2026-01-0{5 + n}") / first.name)
            files[n].parent.mkdir()
            rewritten(
                files[n],
                rows.with_columns(
                    pl.col("ordinal") + n * rows.height, pl.col("receive_ts") + later, pl.col("exchange_ts") + later
                ),
            )
        return files

    def verdicts(self, tape: Path, code: int) -> list[tuple[str, str]]:
        found = records(str(tape), "--symbols", SYMBOLS[0], "--coverage", "0,0", code=code)
        return [(one["date"], one["verdict"]) for one in found]

    def test_a_file_that_cannot_be_opened_leaves_the_other_days(self, tape: Path) -> None:
        _, file, _ = self.three_days(tape)
        days = ["2026-01-05", "2026-01-06", "2026-01-07"]
        assert self.verdicts(tape, 0) == [(day, "good") for day in days]
        file.write_bytes(file.read_bytes()[:-50])
        found = records(str(tape), "--symbols", SYMBOLS[0], "--coverage", "0,0", code=4)
        assert [(one["date"], one["verdict"]) for one in found] == list(zip(days, ("good", "bad", "bad"), strict=True))
        assert file.name in found[1]["reasons"][0]
        assert (found[1]["rows"], found[1]["coverage"]) == (0, 0.0)
        assert found[2]["reasons"] == [f"{found[0]['rows'] - 1:,} rows are missing"]  # a reset has the last one's place
        assert found[2]["delta_rows"] == found[0]["delta_rows"]

    def test_days_before_a_row_that_breaks_the_rules_keep_their_verdict(self, tape: Path) -> None:
        _, file, _ = self.three_days(tape)
        rows = pl.read_parquet(file, hive_partitioning=False)
        rewritten(file, rows.with_columns(price=pl.when(pl.col("ordinal") % 1000 == 0).then(0.0).otherwise("price")))
        assert self.verdicts(tape, 4) == [("2026-01-05", "good"), ("2026-01-06", "bad")]

    def test_files_that_were_set_aside(self, tape: Path) -> None:
        path = data_file(tape)
        aside = tape.parent / f".{tape.name}.damaged" / path.relative_to(tape).parent
        aside.mkdir(parents=True)
        (aside / f"{path.name}.damaged").write_bytes(b"")
        bad, good = records(str(tape), code=4)
        assert "set aside" in bad["reasons"][0]
        assert good["verdict"] == "good"

    def test_any_damage_gives_a_verdict(self, sound: Path, tmp_path: Path) -> None:
        verdicts = set()
        for n in range(40):
            tape = Path(shutil.copytree(sound, tmp_path / str(n)))
            what = wound(data_file(tape), Random(n))
            result = CliRunner().invoke(app, ["inspect", str(tape), "--json"], catch_exceptions=False)
            found = [json.loads(line) for line in result.stdout.splitlines()]
            assert found[-1]["symbol"] == "ETHUSDT", what
            assert found[-1]["verdict"] == "good", what
            verdicts.add((found[0]["verdict"], result.exit_code))
            shutil.rmtree(tape)
        assert verdicts == {("bad", 4)}  # every byte of a tape is looked at


class TestCommandLine:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("--coverage", "90,95"), "--coverage: 90,95 is not falling"),
            (("--far-prints", "1,0"), "--far-prints: 1,0 is not rising"),
            (("--jumps", "one"), "--jumps: 'one' are not two numbers"),
            (("--silence", "soon"), "--silence: "),
            (("--jump", "-1"), "--jump: -1.0 is not a positive number"),
            (("--html", "no/folder/page.html"), "--html: 'no/folder/page.html' is not the path of a file"),
            (("--symbols", "binance_futures:NONE"), "binance_futures:NONE is not on the tape"),
            (("--start", "2027-01-01T00:00:00Z"), "leaves no row"),
        ],
    )
    def test_what_is_wrong_is_said(self, sound: Path, words: tuple[str, ...], said: str) -> None:
        with pytest.raises(TickwaxError, match=said):
            run("inspect", str(sound), *words)

    def test_no_tape(self, tmp_path: Path) -> None:
        with pytest.raises(TickwaxError, match="holds no tape"):
            run("inspect", str(tmp_path))
