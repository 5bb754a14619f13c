"""A resumed run whose files were damaged ends with the same rows, or with a line that names the file."""

import contextlib
import sqlite3
from random import Random

import pytest

from dataflows.assembly.replay import prepare_replay
from dataflows.runtime.engine_options import Recovery
from dataflows.settings.model import load_settings
from sources.errors import DamagedError
from tests.damage.resumption import Resumption
from tests.damage.wounds import GOOD


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("damage")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["journal", "state", "store", "store-at-rest", "complete"])
def test_the_same_rows_or_a_line(folder, kind):
    subject = Resumption(folder / kind, kind)
    for n in range(3):
        found = subject.hurt(Random(f"{kind}-{n}"))
        assert found.outcome in GOOD, found


def resumable(subject):
    """The broken-off run's settings and recovery folder, to be prepared in this process."""
    run = subject._folder / "run"
    return load_settings({k: str(v) for k, v in subject._settings(run).items()}), Recovery(run / "store")


@pytest.fixture(scope="module")
def broken_off(folder):
    return Resumption(folder / "states", "store-at-rest")


CHANGES = {
    "features without a state": ("DELETE FROM snaps WHERE step_id LIKE '%.features'", "the source has read up to"),
    "rows without a state": (
        "DELETE FROM snaps WHERE step_id LIKE '%.features_parquet'",
        "are not those that its state has given",
    ),
    "a state of a later epoch": (
        "UPDATE snaps SET snap_epoch = 1000 WHERE step_id LIKE '%.features_parquet'",
        "are not those that its state has given",
    ),
    "what would run code": (
        "UPDATE snaps SET ser_change = CAST('cos\nsystem\n(S''true''\ntR.' AS BLOB)",
        "a state in it cannot be read",
    ),
    "another form": ("ALTER TABLE snaps ADD COLUMN x TEXT", "is damaged"),
    "an earlier epoch": ("UPDATE fronts SET worker_frontier = 2", "is damaged: it is of epoch"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_source_features_and_rows_must_have_come_equally_far(broken_off, name):
    """SQLite is content with each of these."""
    change, says = CHANGES[name]
    with broken_off._copy() as run:
        for part in (run / "store").glob("*.sqlite3"):
            with contextlib.closing(sqlite3.connect(part)) as db, db:
                db.execute(change)
        with pytest.raises(DamagedError, match=f"^-r: {run}/store.*{says}"):
            prepare_replay(*resumable(broken_off))


def test_what_was_not_changed_is_taken_up(broken_off):
    with broken_off._copy():
        prepare_replay(*resumable(broken_off)).abort()
