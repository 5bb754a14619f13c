"""The search for fractional orders on a recorded tape."""

from typing import Any

from bytewax.run import cli_main

from dataflows.assembly.optimal_d import prepare_optimal_d
from dataflows.runtime.kernels import ready_features
from dataflows.settings.model import load_settings


def optimal_d(flags: dict[str, Any], workers: int) -> None:
    """Search to the end with a progress bar; ``flags`` are settings."""
    run = prepare_optimal_d(load_settings(flags))
    release = run.stop_on_signals()
    try:
        ready_features()
        run.progress.start()
        cli_main(run.flow, workers_per_process=workers)
    finally:
        run.progress.stop()
        release()
