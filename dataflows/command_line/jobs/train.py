"""A model from a data set of labels, an agent from a tape, or a model of placement from tapes."""

import sys
from pathlib import Path
from typing import Any

from dataflows.assembly.estimating import estimate_placement
from dataflows.assembly.training import train_model
from dataflows.assembly.training_agents import AGENT
from dataflows.reports.agents import agent_panels
from dataflows.reports.charts import check_chart_path, draw
from dataflows.reports.placement_model import lines as placement_lines
from dataflows.reports.placement_model import table as placement_table
from dataflows.reports.terminal import prose
from dataflows.reports.text_table import show
from dataflows.reports.training import lines, table
from dataflows.runtime.interruption import INTERRUPTED_S, ending_within
from dataflows.settings.model import load_settings
from operators.placement.model import KIND
from sinks.target import check_outside
from sources.errors import TickwaxError


def train(flags: dict[str, Any], report: Path | None = None) -> None:
    """Train it and tell of it.

    Args:
        flags: settings, by dotted key.
        report: a picture to draw of an agent's training.

    Raises:
        TickwaxError: as of `train_model` and `estimate_placement`; the picture cannot be drawn; tapes are named for
            another kind.
    """
    settings = load_settings(flags)
    if report is not None:
        if settings.train.model != AGENT:
            raise TickwaxError(f"--report: is of an agent, {AGENT}; `tickwax evaluate --html` draws a model")
        check_chart_path("--report", report)
        check_outside(report, "--report")
    if settings.train.model == KIND:
        estimated = estimate_placement(settings)
        for name, model in estimated["instruments"].items():
            show(placement_table(name, model))
        for line in placement_lines(estimated, settings.train.path):
            prose(line)
        return
    if settings.placement.tapes:
        raise TickwaxError(f"placement.tapes: {settings.train.model!r} is not trained from tapes that are named so")
    with ending_within(INTERRUPTED_S):
        found = train_model(settings, lambda line: print(line, file=sys.stderr, flush=True))
    show(table(found))
    for line in lines(found, settings.train.path):
        prose(line)
    if report is not None:
        draw(report, agent_panels(found))
        prose(f"pictures in {report}")
