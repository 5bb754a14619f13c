"""Features from a recorded tape."""

from typing import Any

from bytewax.run import cli_main
from rich.console import Console

from dataflows.cluster.runs import replay_together
from dataflows.flows import Replay, prepare_replay
from dataflows.kernels import ready_features
from dataflows.settings import Settings, load_settings
from dataflows.settings_layers import as_environment
from dataflows.summary import Replayed, data_set_table, replay_lines, try_line


def replay(flags: dict[str, Any], workers: int, processes: int) -> None:
    """Replay and tell of it; ``flags`` are settings."""
    settings = load_settings(flags)
    if processes == 1:
        report(settings, run_replay(settings, workers))
    else:
        report(settings, replay_together(settings, as_environment(flags), processes, workers))


def run_replay(settings: Settings, workers: int = 1) -> Replay:
    """Replay to the end with a progress bar; an interruption leaves nothing."""
    replay = prepare_replay(settings)
    try:
        replay.stop_on_signals()
        ready_features()
        with replay.progress:
            cli_main(replay.flow, workers_per_process=workers)
        replay.commit()
    finally:
        replay.abort()
        replay.release_signals()
    return replay


def report(settings: Settings, replay: Replayed) -> None:
    """Say what was read and what was written."""
    console = Console()
    for line in replay_lines(replay):
        console.print(line, soft_wrap=True)
    if replay.sinks:
        console.print(data_set_table(replay.sinks))
        console.print(try_line(settings.features.path), soft_wrap=True, highlight=False, markup=False)
