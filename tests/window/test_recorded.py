"""A recording is shown as it is in its files, with the book of its tape at each row."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow.dataset as ds
import pytest
from typer.testing import CliRunner

import window.recorded
from dataflows.assembly.in_process import replay_in_process
from dataflows.assembly.inspecting import inspect_tape
from dataflows.assembly.recorded_quality import judge_tape
from dataflows.assembly.recorded_window import recording
from dataflows.assembly.synthetic_tape import write_synthetic_tape
from dataflows.command_line.verbs import app
from dataflows.runtime.caller import Caller
from dataflows.settings.model import settings_from
from operators.config import FeatureConfig
from operators.inspection_engine import InspectionConfig
from operators.inspection_verdict import VERDICTS, Limits
from operators.row_batch import RowBatch
from operators.schema import SINCE_RESTART, column_row
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.tape.batch import TRADE
from sources.tape.reader import TapeReader
from tests.window.chromium import chromium
from tests.window.conftest import MS, NOW, rows
from window.recorded import Recording, _restarts
from window.server import WindowServer

BTC, ETH = Instrument("binance_futures", "BTCUSDT"), Instrument("bybit_linear", "ETHUSDT")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds of two instruments over midnight, with features and books."""
    root = tmp_path_factory.mktemp("recorded")
    write_synthetic_tape(root / "tape", [BTC, ETH], 12_000 * MS, 7, start_ns=NOW - 5000 * MS)
    paths = {f"{name}.path": str(root / name) for name in ("tape", "features", "books")}
    settings = settings_from({**paths, "features.windows": ["1s"], "features.depths": [1, 5]})
    replay_in_process(settings, Caller(lambda line: None, frame=False, progress=False))
    return root


def shown(folder: Path, **more: Any) -> Recording:
    return recording(settings_from({"features.path": str(folder / "features"), "tape.path": "", **more}))


def read(frames: list[bytes], hello: dict[str, Any]) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, Any]]:
    found, head = {}, {}
    for frame in frames:
        length = int.from_bytes(frame[:4], "little")
        head = msgspec.json.decode(frame[4 : 4 + length])
        names = hello["schemas"][head["of"]]["columns"]
        columns = np.frombuffer(frame, "<f8", offset=4 + length).reshape(len(names), head["rows"])
        found[head["of"]] = dict(zip(names, columns, strict=True))
    assert head["last"]
    return found, head


@pytest.mark.parametrize("instrument", [BTC, ETH])
def test_a_stretch_is_what_the_files_and_the_tape_hold(folder: Path, instrument: Instrument) -> None:
    made = shown(folder, **{"tape.path": str(folder / "tape")})
    begin, end = NOW / 1e6 - 1000, NOW / 1e6 + 2000  # over the ends of two days' files
    found, head = read(made.stretch(str(instrument), begin, end), made.hello())
    assert head["stretch"] == [begin, end]
    for name in ("features", "books"):
        table = ds.dataset(folder / name, partitioning="hive").to_table(filter=ds.field("symbol") == instrument.symbol)
        table = table.sort_by("ts")
        ts = table["ts"].cast("int64").to_numpy() / 1e6
        inside = (ts >= begin) & (ts <= end)
        assert inside.sum() == 31
        for column in table.column_names:
            if column in ("exchange", "symbol", "date", "regime", "ts", "receive_ts"):
                continue
            expected = table[column].to_numpy().astype(float)[inside]
            assert np.array_equal(found["features"][column], expected, equal_nan=True), column
        assert np.array_equal(found["features"]["ts"], ts[inside])
    tape = list(TapeReader(folder / "tape", instrument).batches())
    trades = np.concatenate([b.exchange_ts[b.kind == TRADE] for b in tape]) / 1e6
    expected = np.sort(trades[(trades >= begin) & (trades <= end)])
    assert np.array_equal(found["trades"]["ts"], expected)
    assert found["features"]["since_restart"].tolist() == [0] + [1] * 30


def test_a_long_stretch_ends_early_and_says_where(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window.recorded, "MOST_ROWS", 10)
    made = shown(folder)
    found, head = read(made.stretch(str(BTC), 0, 1e15), made.hello())
    assert len(found["features"]["ts"]) == 10
    assert head["stretch"] == [0, found["features"]["ts"][-1]]
    assert list(found) == ["features"]  # without a tape no trades are promised
    assert np.isnan(found["features"]["bid_price_0"]).all()


def test_nothing_lies_beyond_the_recording(folder: Path) -> None:
    made = shown(folder, **{"tape.path": str(folder / "tape")})
    assert read(made.stretch(str(BTC), 1e15, 2e15), made.hello())[0]["features"]["ts"].tolist() == []


def test_the_table_has_the_last_row_and_the_whole_line(folder: Path) -> None:
    made = shown(folder)
    made.read_overview()
    names, table, _ = made.changed(np.empty(0))
    assert names == [str(BTC), str(ETH)]
    newest = dict(zip(made.hello()["overview"], table[1:], strict=True))
    assert newest["ts"].tolist() == [made.end / 1e6] * 2
    assert made.sparks()[-1].tolist() == newest["mid"].tolist()
    assert not np.isnan(made.sparks()).any()


def test_the_verdicts_are_those_of_an_inspection(folder: Path) -> None:
    settings = settings_from({"features.path": str(folder / "features"), "tape.path": str(folder / "tape")})
    made, ended = recording(settings), threading.Event()
    made.read_overview()

    def table() -> dict[str, list[float]]:
        return dict(zip(made.hello()["overview"], made.changed(np.empty(0))[1][1:].tolist(), strict=True))

    assert np.isnan(table()["verdict"]).all()
    ended.set()
    judge_tape(settings, made, ended)  # nobody waits for it any more
    assert np.isnan(table()["verdict"]).all()
    judge_tape(settings, made, threading.Event())
    worst = dict.fromkeys(made.names, 0)
    for day in inspect_tape(settings, InspectionConfig(), Limits()):
        worst[str(day.instrument)] = max(worst[str(day.instrument)], VERDICTS.index(day.verdict))
    assert table()["verdict"] == list(worst.values())
    assert table()["gaps"] == [0, 0]
    assert all(0 < latency < 10 for latency in table()["latency"])


def test_where_a_row_does_not_go_on_from_the_one_before() -> None:
    config = FeatureConfig()
    parts = [rows(0, 3), rows(3, 2), rows(5, 2), rows(20, 2)]
    whole = RowBatch._make(np.concatenate(a, axis=1) if a[0].size else a[0] for a in zip(*parts, strict=True))
    whole.code[column_row(config, "warm"), 3:] = 64  # nothing is warm any more
    _restarts(whole, np.array([(NOW + 450 * MS) / 1e6]), config.sampling_ns)
    assert whole.integer[SINCE_RESTART].tolist() == [0, 1, 1, 0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"features.path": ""}, "features.path: empty; the page shows a recording of features"),
        ({"features.path": "{}/none"}, "features.path: {}/none holds no features; tickwax replay computes them, or"),
        ({"symbols": ["okx_swap:X"]}, "symbols: 'okx_swap:X' is not in {}/features, which has: binance_futures:BTC"),
        ({"tape.path": "{}/none"}, "tape.path: {}/none lacks an instrument of {}/features: binance_futures:BTCUSDT"),
        ({"features.path": "{}/books"}, "features.path: {}/books/exchange=binance_futures/symbol=BTCUSDT/"),
    ],
)
def test_what_cannot_be_shown_is_one_line(folder: Path, settings: dict[str, Any], line: str) -> None:
    def placed(value: Any) -> Any:
        return value.replace("{}", str(folder)) if isinstance(value, str) else value

    with pytest.raises(TickwaxError) as told:
        shown(folder, **{key: placed(value) for key, value in settings.items()})
    assert str(told.value).startswith(placed(line))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["ui", "a", "--tape", "b"], "--tape: 'b' beside the tape 'a'; one of them is enough"),
        (["ui", "--features", "f", "--start", "2026-01-05"], "--start, --end: cut a TAPE whose features are computed"),
        (["replay", "--speed", "10"], "--speed: 10 without --ui; a replay that nobody watches goes as fast as it can"),
    ],
)
def test_what_does_not_go_together_is_one_line(words: list[str], line: str) -> None:
    with pytest.raises(TickwaxError) as told:
        CliRunner().invoke(app, words, catch_exceptions=False)
    assert str(told.value).startswith(line)


@pytest.fixture
def server(folder: Path) -> Iterator[WindowServer]:
    made = shown(folder, **{"tape.path": str(folder / "tape")})
    threading.Thread(target=made.read_overview).start()
    running = WindowServer(made, "127.0.0.1", 0)
    yield running
    running.close()


@pytest.mark.slow
def test_a_recording_is_played_and_scrubbed_in_a_browser(server: WindowServer, tmp_path: Path) -> None:
    with chromium(tmp_path / "profile") as page:
        page.open(server.url)
        page.until("window.tickwax.store.of('features').length > 100")
        assert page.text("#state") == "recorded"
        assert page.violations() == []
        at = "window.tickwax.view.now"
        page.driver.execute_script("window.tickwax.player.seek(0)")
        begin = page.js(at)
        page.driver.find_element("id", "speed").send_keys("20")
        page.driver.find_element("tag name", "body").send_keys(" ")
        page.until(f"{at} === Number(document.getElementById('at').max)")  # 12 s at 20 times
        assert page.text("#play") == "Play"
        page.driver.find_element("tag name", "body").send_keys("\ue012\ue012")  # the left arrow, twice
        page.until(f"{at} === Number(document.getElementById('at').max) - 2000")
        assert page.js(at) > begin
        page.until(
            "(() => { const p = window.tickwax, f = p.view.features, r = p.view.row();"
            "return document.querySelector('#ladder .best .bid').textContent === f.at('bid_price', r).toFixed(1); })()"
        )
        page.driver.find_element("tag name", "body").send_keys("j")
        page.until(f"window.tickwax.store.symbol === '{ETH}' && window.tickwax.store.of('trades').length > 0")
        assert page.js(at) == page.js("Number(document.getElementById('at').max) - 2000")  # the same time of it
        assert page.complaints() == []
