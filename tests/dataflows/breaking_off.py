"""Runs of a tape with a recovery directory that are broken off after some batches, in this process."""

from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from bytewax.recovery import RecoveryConfig
from bytewax.run import cli_main

from dataflows.runtime.replay_run import Replay
from sources.tape.batch import InstrumentBatch

R = TypeVar("R", bound=Replay)


class BrokenOff(Exception):
    """What stands for a failure that no line of ours tells of."""


def run_recoverable(run: R, store: Path, workers: int = 1, after: int | None = None) -> R:
    """Run it and commit; breaks off after so many batches."""
    count, left = run.progress.add, after

    def breaking(item: InstrumentBatch) -> None:
        nonlocal left
        if left is not None:
            left -= 1
            if left < 0:
                raise BrokenOff
        count(item)

    for stream in run.flow.substeps:  # the source tells the progress of every batch
        if stream.step_name == "tape":
            stream.source._on_rows = breaking
    try:
        recovery = RecoveryConfig(store, backup_interval=timedelta(0))
        cli_main(run.flow, workers_per_process=workers, epoch_interval=timedelta(0), recovery_config=recovery)
        run.commit()
    finally:
        run.abort()
    return run
