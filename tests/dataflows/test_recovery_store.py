"""What is left in a recovery store of a run that was killed inside an epoch."""

import os
import pickle
import sqlite3
from datetime import timedelta

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main
from bytewax.testing import TestingSink, TestingSource

from dataflows.runtime.recovery_store import forget_uncommitted, make_private
from sources.errors import TickwaxError

KEYS = ("a", "b")


def resumed_sums(store, items: list) -> list:
    """Running sums by key, of a flow that goes on where the store says."""
    out: list = []
    flow = Dataflow("sums")
    keyed = op.input("in", flow, TestingSource(items))
    op.output("out", op.stateful_map("sum", keyed, lambda s, n: ((s or 0) + n, (s or 0) + n)), TestingSink(out))
    cli_main(flow, epoch_interval=timedelta(0), recovery_config=RecoveryConfig(str(store), timedelta(days=1)))
    return out


def test_what_a_killed_run_had_begun_to_write_is_forgotten(tmp_path):
    init_db_dir(tmp_path, 1)
    items: list = [("a", 1), ("b", 1), ("a", 1), ("b", 1)]
    resumed_sums(tmp_path, items)
    with sqlite3.connect(tmp_path / "part-0.sqlite3") as db:
        before = db.execute("SELECT COUNT(*) FROM snaps").fetchone()[0]
        ((epoch,),) = db.execute("SELECT MIN(worker_frontier) FROM fronts").fetchall()
        # A run killed inside the next epoch leaves the like of this.
        stale = ("sums.sum.stateful_flat_map.stateful.stateful_batch", "a", epoch, pickle.dumps(1000))
        db.execute("INSERT INTO snaps (step_id, state_key, snap_epoch, ser_change) VALUES (?, ?, ?, ?)", stale)
    assert forget_uncommitted(tmp_path) == 1
    with sqlite3.connect(tmp_path / "part-0.sqlite3") as db:
        assert db.execute("SELECT COUNT(*) FROM snaps").fetchone()[0] == before
    # Ended in order, a run would write every key anew.
    again = [*items, ("b", 1), ("b", 1), TestingSource.ABORT()]
    assert resumed_sums(tmp_path, again)[0] == ("b", 3)
    assert resumed_sums(tmp_path, [*again, ("a", 1)])[-1] == ("a", 3)


def test_a_store_that_was_never_used_is_left_alone(tmp_path):
    init_db_dir(tmp_path, 2)
    assert forget_uncommitted(tmp_path) == 0


def test_nobody_else_may_write_to_a_store(tmp_path):
    """Bytewax unpickles what it holds."""
    tmp_path.chmod(0o777)
    make_private(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_store_of_somebody_else_that_anybody_may_write_to_is_refused(tmp_path):
    os.chown(tmp_path, 54321, 54321)
    tmp_path.chmod(0o755)
    make_private(tmp_path)
    tmp_path.chmod(0o777)
    with pytest.raises(TickwaxError, match=r"^-r: .*: other users may write to it"):
        make_private(tmp_path)
