"""Features from a recorded tape."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bytewax.run import cli_main

from dataflows.assembly.replay import prepare_replay
from dataflows.command_line.jobs.recovering import recovery_in, recovery_store
from dataflows.reports.summary import Replayed, data_set_table, replay_lines, try_line
from dataflows.reports.terminal import line, prose
from dataflows.reports.text_table import show
from dataflows.runtime.engine_options import Recovery
from dataflows.runtime.kernels import ready_features
from dataflows.runtime.replay_run import Replay
from dataflows.settings.model import Settings, load_settings

if TYPE_CHECKING:
    from dataflows.runtime.cluster.supervisor import Supervisor


def replay(
    flags: dict[str, Any],
    workers: int,
    supervisor: "Supervisor | None",
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
        report(settings, run_replay(settings, workers, recovery_in(folder, backup_seconds), snapshot_seconds))
    else:
        from dataflows.runtime.cluster.runs import replay_together

        report(settings, replay_together(settings, supervisor, workers))


def run_replay(
    settings: Settings, workers: int = 1, recovery: Recovery | None = None, snapshot_seconds: int = 10
) -> Replay:
    """Replay to the end with a progress bar; an interruption leaves nothing but what is for a resumption."""
    with recovery_store(recovery) as bytewax_recovery:
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


def report(settings: Settings, replay: Replayed) -> None:
    """Say what was read and what was written."""
    for text in replay_lines(replay):
        prose(text)
    if replay.sinks:
        show(data_set_table(replay.sinks))
        if hint := try_line(settings.features.path):
            line(hint)
