"""Labels beside recorded features."""

from typing import Any

from bytewax.run import cli_main

from dataflows.assembly.dataset import prepare_dataset
from dataflows.reports.dataset import missing_lines, table
from dataflows.reports.planted import planted_lines
from dataflows.reports.summary import data_set_table
from dataflows.reports.terminal import prose
from dataflows.reports.text_table import show
from dataflows.runtime.kernels import ready_labels
from dataflows.settings.model import load_settings


def dataset(flags: dict[str, Any], workers: int) -> None:
    """Run it to the end and tell of it; ``flags`` are settings.

    Raises:
        TickwaxError: as of `prepare_dataset`.
    """
    labelling = prepare_dataset(load_settings(flags))
    run = labelling.run
    try:
        run.stop_on_signals()
        ready_labels()
        with run.progress:
            cli_main(run.flow, workers_per_process=workers)
        run.commit()
    finally:
        run.abort()
        run.release_signals()
    show(table(labelling.counts))
    for line in missing_lines(labelling.counts):
        prose(line)
    show(data_set_table(run.sinks))
    for line in planted_lines(run.sinks["dataset"].root):
        prose(line)
