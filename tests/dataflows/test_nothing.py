"""Runs that would write nothing say what was empty and why, and are no success; addresses are no folders."""

import pytest

from tests.dataflows.test_replay import told

pytestmark = pytest.mark.slow

MODULE = ("-m", "bytewax.run", "dataflows.replay")
VERB = ("-c", "from dataflows.cli import main; main()")
SPARSE = {"features.fdi_interval": "7h", "features.max_hold": "14h"}
BTC = "binance_futures:BTCUSDT"


def refused(start, arguments, tmp_path, settings=None) -> str:
    """The one line of a run that ends with 2 and leaves nothing."""
    process = start(settings or {}, *arguments)
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 2, (stdout, stderr)
    assert stdout == ""
    (line,) = told(stderr)
    assert [path for path in tmp_path.rglob("*") if path.suffix == ".parquet"] == []
    return line


EXTRA = [(), ("--processes", "2"), ("-w", "2"), ("--recovery", "r/e/c")]


@pytest.mark.parametrize("extra", EXTRA, ids=["alone", "processes", "workers", "recovery"])
@pytest.mark.parametrize(("flags", "says"), [
    (("--start", "2030-01-01"), "'2030-01-01' leaves no row: the tape ends before it, at 20"),
    (("--end", "2001-01-01"), "'2001-01-01' leaves no row: the tape begins only at 20"),
])  # fmt: skip
def test_a_range_without_a_row(synthetic_tape_root, start, tmp_path, flags, says, extra, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = (*VERB, "replay", "--tape", synthetic_tape_root, "--features", tmp_path / "f", *flags, *extra)
    line = refused(start, arguments, tmp_path)
    assert line.startswith(f"tickwax: {flags[0]}: ")
    assert says in line
    assert list(tmp_path.iterdir()) == []


def test_a_range_without_a_feature_row(synthetic_tape_root, start, tmp_path):
    """There are tape rows, and not one sample's worth of them."""
    flags = ("--tape", synthetic_tape_root, "--features", tmp_path / "f", "--sampling", "7h", "--symbols", BTC)
    for extra in ((), ("--recovery", tmp_path / "r"), ("--processes", "2")):
        line = refused(start, (*VERB, "replay", *flags, *extra), tmp_path, SPARSE)
        assert "no feature row: the " in line
        assert "tape rows that were read complete none" in line
        if "--processes" not in extra:
            assert list(tmp_path.iterdir()) == []


def test_what_was_there_stays_when_nothing_comes(synthetic_tape_root, start, tmp_path):
    flags = ("--tape", synthetic_tape_root, "--features", tmp_path / "f", "--symbols", BTC)
    assert start({}, *VERB, "replay", *flags).wait(120) == 0
    before = sorted(path.read_bytes() for path in tmp_path.rglob("*.parquet"))
    process = start(SPARSE, *VERB, "replay", *flags, "--sampling", "7h", "--overwrite")
    assert process.wait(120) == 2
    assert sorted(path.read_bytes() for path in tmp_path.rglob("*.parquet")) == before


def test_the_module_says_the_same(synthetic_tape_root, start, tmp_path):
    settings = {"tape.path": synthetic_tape_root, "features.path": tmp_path / "f", "features.sampling": "7h"} | SPARSE
    assert "no feature row" in refused(start, MODULE, tmp_path, settings)


def test_training_that_ends_before_the_tape_begins(synthetic_tape_root, start, tmp_path):
    out = tmp_path / "d.parquet"
    arguments = (*VERB, "optimal-d", "--tape", synthetic_tape_root, "--out", out, "--train-until", "2001-01-01")
    assert "'2001-01-01' leaves no row: the tape begins only at 20" in refused(start, arguments, tmp_path)


OF_DATA_SETS = [
    ("replay", "--features"), ("replay", "--tape"), ("replay", "--books"), ("live", "--tape"), ("synth", "--tape"),
]  # fmt: skip
OF_FILES = [("replay", "--recovery"), ("replay", "--d-file"), ("optimal-d", "--out")]
IMPORT = ("import", "tardis", "x.csv", "--tape")


@pytest.mark.parametrize(("arguments", "address"), [
    *((each, other) for each in (*OF_DATA_SETS, *OF_FILES, IMPORT)
      for other in ("file:///tmp/x", "https://me:hunter2@host/x", "gs:/bucket")),
    *((each, "s3://bucket/x") for each in OF_FILES),
], ids=str)  # fmt: skip
def test_an_address_is_no_path(start, tmp_path, arguments, address, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = refused(start, (*VERB, *arguments, address), tmp_path)
    assert "is an address; only local files and folders are read and written" in line
    assert "hunter2" not in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", OF_DATA_SETS, ids=" ".join)
def test_an_address_of_a_store_that_is_none(start, tmp_path, arguments, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = refused(start, (*VERB, *arguments, "s3://me:hunter2@bucket/x"), tmp_path)
    assert "has a name and a key; the environment of AWS programs gives them" in line
    assert "hunter2" not in line
    assert "is not an address of the form s3://bucket/prefix" in refused(
        start, (*VERB, *arguments, "s3://bucket/x/../y"), tmp_path
    )
    assert list(tmp_path.iterdir()) == []


def test_an_import_writes_to_this_machine(start, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_text("")
    line = refused(start, (*VERB, "import", "tardis", "x.csv", "--tape", "s3://bucket/x"), tmp_path)
    assert "is an address; only local files and folders are read and written by an import" in line
