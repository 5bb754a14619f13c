"""A model from a data set of labels."""

import sys
from typing import Any

from dataflows.assembly.training import train_model
from dataflows.reports.terminal import prose
from dataflows.reports.text_table import show
from dataflows.reports.training import lines, table
from dataflows.settings.model import load_settings


def train(flags: dict[str, Any]) -> None:
    """Train it and tell of it; ``flags`` are settings.

    Raises:
        TickwaxError: as of `train_model`.
    """
    settings = load_settings(flags)
    report = train_model(settings, lambda line: print(line, file=sys.stderr, flush=True))
    show(table(report))
    for line in lines(report, settings.train.path):
        prose(line)
