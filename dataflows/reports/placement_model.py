"""What a model of placement says of its market."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dataflows.reports.text_table import TextTable
from operators.placement.log import PLACES
from operators.placement.market import SPREADS

_SPREADS = ("1", "2", "3 and more")


def table(name: str, model: Mapping[str, Any]) -> TextTable:
    """A line for each place at each spread: means over the shares, by how often each was seen."""
    out = TextTable((name, "spread", "steps", "filled", "move of the mid"))
    shape = (SPREADS, -1, len(PLACES))
    steps, filled, filled_error, move, move_error = (
        np.array(model[key], float).reshape(shape) for key in ("steps", "filled", "filled_error", "move", "move_error")
    )
    for place, word in enumerate(PLACES):
        for spread in range(SPREADS):
            n = steps[spread, :, place]
            if n.sum():
                share = n / n.sum()
                means = [(share * x[spread, :, place]).sum() for x in (filled, move)]
                errors = [np.sqrt((share**2 * x[spread, :, place] ** 2).sum()) for x in (filled_error, move_error)]
                out.add(
                    word,
                    _SPREADS[spread],
                    f"{int(n.sum()):,}",
                    f"{means[0]:.1%} ± {errors[0]:.1%}",
                    f"{means[1]:+.2f} ± {errors[1]:.2f}",
                )
    return out


def lines(report: Mapping[str, Any], path: Path) -> list[str]:
    """What was estimated, and where it is."""
    steps = sum(sum(one["steps"]) for one in report["instruments"].values())
    names = ", ".join(report["instruments"])
    return [
        f"{path}: model {report['identity'][:12]} of placement, from {steps:,} steps of orders in {names}",
        "Of a step are shown how many orders it filled, and the mid's move in ticks against one that it did not fill, "
        "± standard errors.",
    ]
