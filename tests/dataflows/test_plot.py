"""``tickwax plot`` as a user runs it."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import tickwax as tw
from dataflows.assembly.plotting import FOREVER, open_recording, read_drawn
from dataflows.cli import main
from dataflows.reports.chart_panels import Panel
from dataflows.reports.charts import draw
from dataflows.reports.feature_plot import default_columns, feature_panels
from sinks.tape import TapeWriter
from sources.tape.batch import RESET, TapeBatch, concat
from sources.tape.reader import TapeReader
from tests.dataflows.conftest import INSTRUMENTS, MIDNIGHT, SECOND

pytestmark = pytest.mark.slow
BTC, ETH, *_ = INSTRUMENTS
AWAY = 3 * SECOND  # for how long the book was not known


@pytest.fixture(scope="module")
def features(synthetic_tape_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("plot") / "features"
    tw.replay(
        synthetic_tape_root, symbols=[str(BTC), str(ETH)], to=root, sampling="10ms", fdi_interval="50ms", fdi_window=20
    )
    return root


@pytest.fixture(scope="module")
def interrupted(synthetic_tape_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features at every update of a tape whose second half comes late, behind a reset."""
    whole = concat(list(TapeReader(synthetic_tape_root, BTC).batches()))
    half = int(np.argmax(whole.receive_ts >= MIDNIGHT + SECOND))
    reset = TapeBatch(*(column[half : half + 1].copy() for column in whole))
    for name, value in (("kind", RESET), ("side", 0), ("price", 0.0), ("size", 0.0), ("last", True)):
        getattr(reset, name)[:] = value
    again = TapeBatch(*(column.copy() for column in whole))
    again.ordinal[:] += half + 1
    for name in ("exchange_ts", "receive_ts"):
        getattr(again, name)[:] += whole.receive_ts[half] - whole.receive_ts[0] + AWAY
    folder = tmp_path_factory.mktemp("interrupted")
    with TapeWriter(folder / "tape", "t") as writer:
        writer.write(BTC, concat([whole.slice(0, half), reset, again]))
    return Path(str(tw.replay(folder / "tape", to=folder / "features", sampling="update")))


@pytest.fixture
def plot(monkeypatch, capsys):
    """Runs the command; exit code, standard output and error, in one line each."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["tickwax", "plot", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        told = capsys.readouterr()
        return int(end.value.code or 0), " ".join(told.out.split()), " ".join(told.err.split())

    return run


def test_no_line_leads_across_a_reset(interrupted):
    recording = open_recording("features.path", interrupted, None, FOREVER)
    mid = read_drawn(recording, ["mid"], (recording.first, recording.last), 500)
    ts, y = mid.curves["mid"]
    (gap,) = np.flatnonzero(np.isnan(y))
    assert ts[gap + 1] - ts[gap - 1] >= AWAY
    assert np.diff(np.delete(ts, gap)).max() == ts[gap + 1] - ts[gap - 1]  # the longest step is the one without a line


def test_pictures_of_every_kind(features, plot, tmp_path):
    for name in ("a.html", "a.png", "a.svg"):
        code, out, err = plot(features, "--symbol", BTC, "--out", tmp_path / name)
        assert code == 0, err
        assert f"rows of {BTC}, drawn:" in out
        assert "PLANTED" in out
    page = (tmp_path / "a.html").read_text()
    assert not re.search(r"<(?:script|link)[^>]*(?:src|href)=", page)  # nothing from anywhere else
    for text in (f"{BTC} · ", "mid: middle of the best prices", "ofi_z_l0_5s", "trending"):
        assert text in page or json.dumps(text)[1:-1] in page
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "a.svg").read_text().count("<!-- trade_imbalance_5s: ") == 1


def test_columns_share_a_panel_and_a_range_is_a_range(features):
    start, end = MIDNIGHT, MIDNIGHT + 2 * SECOND
    recording = open_recording("features.path", features, str(BTC), (start, end))
    assert (recording.first, recording.last, recording.rows) == (start, end - SECOND // 100, 200)
    panels = [["bid_price", "ask_price"], ["ofi_l0_5s"]]
    drawn = read_drawn(recording, ["bid_price", "ask_price", "ofi_l0_5s"], (start, end), 100)
    rows = feature_panels(recording, panels, drawn, {}, None)
    assert [[panel.title for panel in row] for row in rows] == [
        ["bid_price, ask_price"],
        ["ofi_l0_5s: order flow of the best level in the last 5s"],
    ]
    assert [panel.y for (panel,) in rows] == ["quote currency", "base currency"]
    frame = tw.read_features(features, symbols=[str(BTC)], start="2026-01-05", end="2026-01-05T00:00:02Z")
    assert np.nanmax(rows[1][0].curves[0][2]) == max(frame["ofi_l0_5s"].to_pylist())


def test_regimes_are_bands_where_the_data_set_has_them(features):
    recording = open_recording("features.path", features, str(BTC), FOREVER)
    drawn = read_drawn(recording, ["fdi"], (recording.first, recording.last), 400)
    frame = tw.read_features(features, symbols=[str(BTC)], columns=["ts", "regime"])
    ts = frame["ts"].cast("int64").to_numpy()
    words = frame["regime"].to_pylist()
    first = next(i for i, word in enumerate(words) if word is not None)
    assert {word for word, _, _ in drawn.regimes} <= {"trending", "ranging", "neutral"}
    assert abs(drawn.regimes[0][1] - ts[first]) <= (ts[-1] - ts[0]) // 400 + 1
    right = 0
    for t, word in zip(ts[first:], words[first:], strict=True):
        right += any(name == word and a <= t <= b for name, a, b in drawn.regimes)
    assert right > 0.95 * (len(ts) - first)  # all but those beside a change


def test_the_folder_of_a_backtest_and_its_fills(synthetic_tape_root, features, plot, tmp_path, monkeypatch):
    run = tmp_path / "run"
    flags = ("--strategy", "momentum", "--param", "size=0.01", "--symbols", BTC, "--sampling", "10ms")
    arguments = ["tickwax", "backtest", "--tape", synthetic_tape_root, "--out", run, *flags]
    monkeypatch.setattr("sys.argv", [*map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    code, _, err = plot(run, "--out", tmp_path / "run.html")
    assert code == 0, err
    page = (tmp_path / "run.html").read_text()
    assert all(f'"name":"{name}"' in page for name in ("equity", "position", "bought", "sold"))
    code, _, err = plot(features, "--symbol", BTC, "--backtest", run, "--columns", "mid", "--out", tmp_path / "f.html")
    assert code == 0, err
    page = (tmp_path / "f.html").read_text()
    assert all(f'"name":"{name}"' in page for name in ("mid", "equity", "position", "bought", "sold"))
    code, out, _ = plot(features, "--symbol", BTC, "--backtest", run, "--columns", "fdi", "--out", tmp_path / "f.png")
    assert code == 0
    assert "No column of these is a price" in out
    code, _, err = plot(features, "--symbol", ETH, "--backtest", run, "--out", tmp_path / "g.png")
    assert (code, f"--symbol: {ETH} is not in {run}" in err) == (2, True)


def test_default_columns_are_those_of_the_data_set(features):
    recording = open_recording("features.path", features, str(BTC), FOREVER)
    assert default_columns(recording) == [
        ["mid"], ["ofi_z_l0_5s", "ofi_z_l10_5s"], ["trade_imbalance_5s"], ["price_ffd"], ["fdi"], ["volatility"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--out", "a.pdf"), "--out: 'a.pdf' does not end with one of .html, .png, .svg"),
        (("--out", "a.png"), f"--symbol: not given, and FEATURES holds 2 instruments: {BTC}, {ETH}"),
        (("--symbol", "okx_swap:X", "--out", "a.png"), f"--symbol: okx_swap:X is not in FEATURES, which holds {BTC}"),
        (("--symbol", BTC, "--columns", "mdi", "--out", "a.png"), "--columns: 'mdi' is not in FEATURES; did you mean"),
        (("--symbol", BTC, "--columns", "regime", "--out", "a.png"), "'regime' does not hold numbers; it is drawn as"),
        (("--symbol", BTC, "--columns", ",", "--out", "a.png"), "--columns: ',' names none"),
        (("--symbol", BTC, "--start", "2030-01-01", "--out", "a.png"), "--start, --end: no rows of "),
        (("--symbol", BTC, "--backtest", "nowhere", "--out", "a.png"), "--backtest: nowhere holds no backtest"),
        (("--symbol", BTC, "--out", "nodir/a.png"), "--out: 'nodir/a.png' is not in a folder that exists"),
        (("--symbol", BTC, "--out", "FEATURES/a.png"), "--out: FEATURES/a.png lies inside the data set"),
    ],
)  # fmt: skip
def test_refusals_are_one_line(features, plot, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    code, out, err = plot(features, *(str(a).replace("FEATURES", str(features)) for a in arguments))
    assert (code, out) == (2, "")
    assert err.startswith("tickwax: ")
    assert says.replace("FEATURES", str(features)) in err
    assert list(tmp_path.iterdir()) == []


def test_what_holds_nothing_to_draw_is_refused(synthetic_tape_root, plot, tmp_path):
    code, _, err = plot(tmp_path, "--out", tmp_path / "a.png")
    assert (code, err) == (2, f"tickwax: FEATURES: {tmp_path} holds no data set")
    code, _, err = plot(synthetic_tape_root, "--symbol", BTC, "--out", tmp_path / "a.png")
    assert code == 2
    assert "holds a tape; tickwax replay makes features of it" in err


def test_without_the_extra_it_says_which(features, plot, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, _, err = plot(features, "--out", tmp_path / "a.png")
    assert (code, err) == (
        2, f"tickwax: --out: '{tmp_path / 'a.png'}' needs matplotlib; pip install 'tickwax[plot]'"
    )  # fmt: skip


def test_an_empty_panel_says_so_and_prices_have_no_offset(tmp_path):
    times = np.array([0, 1], "datetime64[s]")
    empty = Panel("markouts", "", "", [("maker", times, [np.nan, np.nan])], nothing="no fills")
    prices = Panel("mid", "", "", [("mid", times, [64000.5, 64001.5])])
    assert (empty.empty, prices.empty) == (True, False)
    draw(tmp_path / "a.html", [[empty], [prices]])
    assert (tmp_path / "a.html").read_text().count("no fills") == 1
    draw(tmp_path / "a.svg", [[empty], [prices]])
    words = re.findall("<!-- (.+?) -->", (tmp_path / "a.svg").read_text())
    assert words.count("no fills") == 1
    assert not any("+" in word or "e4" in word for word in words)
    assert any(word.startswith("64001") for word in words)
