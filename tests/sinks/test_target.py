"""Which folder a data set may be written to: what is there and of another kind is never replaced."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sinks.lock import DataSetLock
from sinks.target import check_outside, check_target
from sources.errors import TickwaxError
from tests.commands import tickwax

pytestmark = pytest.mark.slow

SYMBOL = "binance_futures:BTCUSDT"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A tape, its features and its bars."""
    root = tmp_path_factory.mktemp("made")
    for arguments in (
        ("synth", "--span", "2s", "--symbols", SYMBOL, "--tape", root / "tape"),
        ("replay", "--tape", root / "tape", "--features", root / "features"),
        ("export", "bars", "--kind", "tick", "--size", "5", "--tape", root / "tape", "--out", root / "bars"),
    ):
        done = tickwax(*arguments)
        assert done.returncode == 0, done.stderr
    return root


@pytest.fixture
def folder(made, tmp_path) -> Path:
    shutil.copytree(made, tmp_path / "data")
    return tmp_path / "data"


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def bars(tape: Path, out: Path) -> tuple[object, ...]:
    return ("export", "bars", "--kind", "tick", "--size", "5", "--tape", tape, "--out", out, "--overwrite")


def replay(tape: Path, out: Path) -> tuple[object, ...]:
    return ("replay", "--tape", tape, "--features", out, "--overwrite")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (lambda d: bars(d / "tape", d / "tape"), "--out: {d}/tape holds a tape, not bars"),
        (lambda d: bars(d / "tape", d / "features"), "--out: {d}/features holds features, not bars"),
        (lambda d: bars(d / "tape", d / "tape" / "sub"), "--out: {d}/tape/sub lies inside the data set {d}/tape"),
        (lambda d: bars(d / "tape", d), "--out: {d} holds the data set {d}/bars"),
        (lambda d: replay(d / "tape", d / "copy"), "--features: {d}/copy holds a tape, not features"),
        (lambda d: replay(d / "tape", d / "bars"), "--features: {d}/bars holds bars, not features"),
        (
            lambda d: ("synth", "--span", "1s", "--symbols", "binance_futures:ETHUSDT", "--tape", d / "features"),
            "--tape: {d}/features holds features, not a tape",
        ),
        (
            lambda d: ("optimal-d", "--tape", d / "tape", "--out", d / "tape" / "optimal.parquet"),
            "--out: {d}/tape/optimal.parquet lies inside the data set {d}/tape",
        ),
    ],
    ids=[
        "bars onto their tape", "bars onto features", "bars into their tape", "bars around data sets",
        "features onto another tape", "features onto bars", "a tape onto features", "orders into a tape",
    ],
)  # fmt: skip
def test_what_is_there_is_kept(folder, arguments, words):
    shutil.copytree(folder / "tape", folder / "copy")
    before = content(folder)
    done = tickwax(*arguments(folder))
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert words.format(d=folder) in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert content(folder) == before


def test_the_same_kind_is_replaced(folder):
    for arguments in (bars(folder / "tape", folder / "bars"), replay(folder / "tape", folder / "features")):
        done = tickwax(*arguments)
        assert done.returncode == 0, done.stderr


def test_an_empty_folder_name_is_refused(folder):
    done = tickwax("export", "bars", "--kind", "tick", "--size", "5", "--tape", folder / "tape", "--out", "")
    assert (done.returncode, done.stderr) == (2, "tickwax: --out: '' is not the path of a folder\n")


def test_files_of_another_program_are_kept(tmp_path):
    file = tmp_path / "exchange=binance_futures" / "symbol=BTCUSDT" / "date=2024-01-01" / "x.parquet"
    file.parent.mkdir(parents=True)
    pq.write_table(pa.table({"a": [1]}), file)
    with pytest.raises(TickwaxError, match=r"features.path: .* holds files of another program, such as .*x.parquet"):
        check_target(tmp_path, "features", "features.path")


def test_features_of_an_older_version_are_features(tmp_path):
    """Their files do not say what they are."""
    file = tmp_path / "exchange=binance_futures" / "symbol=BTCUSDT" / "date=2024-01-01" / "x.parquet"
    file.parent.mkdir(parents=True)
    pq.write_table(pa.table({"ts": [1]}), file)
    check_target(tmp_path, "features", "features.path")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("export", "bars", "--kind", "nope", "--size", "1m", "--out", "o"), "--kind: 'nope' is not one of time, tick"),
        (("export", "bars", "--size", "500d", "--out", "o"), "--size: no time bar of 4.32e+07 s is complete"),
        (("export", "bars", "--size", "1s", "--out", "file"), "--out: file is not a folder"),
        (("replay", "--features", "o", "--d-file", "file"), "--d-file: file: is no Parquet file; one is needed"),
        (("synth", "--span", "1s", "--symbols", "kraken:X"), "--symbols: 'kraken:X' is at no venue that is known"),
    ],
)
def test_wrong_words_are_refused_in_a_line(made, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("no Parquet")
    tape = "new" if arguments[0] == "synth" else made / "tape"
    done = tickwax(*arguments, "--tape", tape)
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == [tmp_path / "file"]


def test_the_second_of_two_writers_is_refused(made, tmp_path):
    with DataSetLock(tmp_path / "f"):
        done = tickwax(*replay(made / "tape", tmp_path / "f"))
    assert done.returncode == 2
    assert "another process is writing to it; wait for its end" in done.stderr


def test_a_new_folder_beside_others_is_fine(made):
    check_target(made / "new", "features", "features.path")
    check_outside(made / "optimal.parquet", "optimal_d.path")
