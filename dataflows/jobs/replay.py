"""Features from a recorded tape."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from dataflows.cluster.runs import replay_together
from dataflows.cluster.supervisor import Supervisor
from dataflows.engine_options import Recovery
from dataflows.flows import Replay, prepare_replay
from dataflows.kernels import ready_features
from dataflows.local_paths import local_path
from dataflows.settings import Settings, load_settings
from dataflows.summary import Replayed, data_set_table, replay_lines, try_line
from dataflows.terminal import line, prose
from dataflows.text_table import show
from sources.errors import TickwaxError


def replay(
    flags: dict[str, Any],
    workers: int,
    supervisor: Supervisor | None,
    folder: str | None = None,
    snapshot_seconds: int = 10,
    backup_seconds: int = 0,
) -> None:
    """Replay and tell of it.

    Args:
        flags: settings.
        supervisor: of the processes that replay; None: this one does.
        folder: for a resumption of this one; None: there is to be none.

    Raises:
        TickwaxError: as of `prepare_replay`.
    """
    settings = load_settings(flags)
    if supervisor is None:
        recovery = Recovery(_recovery_folder(folder), backup_seconds) if folder else None
        report(settings, run_replay(settings, workers, recovery, snapshot_seconds))
    else:
        report(settings, replay_together(settings, supervisor, workers))


def run_replay(
    settings: Settings, workers: int = 1, recovery: Recovery | None = None, snapshot_seconds: int = 10
) -> Replay:
    """Replay to the end with a progress bar; an interruption leaves nothing but what is for a resumption."""
    bytewax_recovery = recovery and recovery_config(recovery)
    replay = prepare_replay(settings, recovery)
    try:
        replay.stop_on_signals()
        ready_features()
        with replay.progress:
            cli_main(
                replay.flow,
                workers_per_process=workers,
                epoch_interval=timedelta(seconds=snapshot_seconds),
                recovery_config=bytewax_recovery,
            )
        replay.commit()
    finally:
        replay.abort()
        replay.release_signals()
    return replay


def _recovery_folder(text: str) -> Path:
    try:
        return local_path(text)
    except ValueError as e:
        raise TickwaxError(f"--recovery: {e}") from None


def recovery_config(recovery: Recovery) -> RecoveryConfig:
    """For Bytewax; a folder without a store gets one.

    Raises:
        TickwaxError: the folder cannot be made, or written to.
    """
    try:
        recovery.directory.mkdir(parents=True, exist_ok=True)
        if not any(recovery.directory.glob("*.sqlite3")):
            init_db_dir(recovery.directory, 1)
    except OSError as e:
        raise TickwaxError(f"--recovery: {recovery.directory}: {e.strerror}") from e
    return RecoveryConfig(recovery.directory, timedelta(seconds=recovery.backup_seconds))


def report(settings: Settings, replay: Replayed) -> None:
    """Say what was read and what was written."""
    for text in replay_lines(replay):
        prose(text)
    if replay.sinks:
        show(data_set_table(replay.sinks))
        if hint := try_line(settings.features.path):
            line(hint)
