"""How parent orders were worked in a run: what they cost, and pictures of what was decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dataflows.reports.backtest import columns_by_time
from dataflows.reports.chart_panels import Panel
from dataflows.reports.summary import Written
from dataflows.reports.text_table import TextTable
from operators.execution.statistics import mean
from operators.placement.market import ACTIONS
from operators.placement.shortfall import Shortfalls, shortfalls
from sources.instrument import Instrument
from sources.tape.layout import data_files, instruments

_SHOWN = 12  # instruments with pictures
_TAIL = 20  # the worst twentieth is the tail of CVaR 95


@dataclass(frozen=True)
class Worked:
    """Of one instrument: columns of `placements`, and what its parents cost."""

    instrument: Instrument
    placements: Mapping[str, Any]
    cost: Shortfalls


def read_worked(sinks: Mapping[str, Written]) -> list[Worked]:
    """What the run wrote, instrument by instrument; nothing where orders were sent as they are."""
    if "placements" not in sinks:
        return []
    names = ("ts", "parent_id", "order_id", "leaves", "mid", "left", "action")
    more = [f"{what}_{action}" for what in ("visits", "cost") for action in ACTIONS]
    out = []
    for instrument in instruments(sinks["placements"].root):
        p = columns_by_time(data_files(sinks["placements"].root, instrument), (*names, *more))
        files = data_files(sinks["fills"].root, instrument)
        f = columns_by_time(files, ("ts", "order_id", "side", "price", "size", "fee"))
        out.append(Worked(instrument, p, shortfalls(p, f)))
    return out


def table(worked: Sequence[Worked]) -> TextTable:
    """One line an instrument."""
    out = TextTable(("instrument", "parents", "whole", "mean shortfall, bp", "std", "CVaR 95"))
    for w in worked:
        bp = np.sort(w.cost.bp[~np.isnan(w.cost.bp)])
        cells = ["-"] * 3
        if len(bp):
            e = mean(bp)
            tail = bp[-max(1, len(bp) // _TAIL) :].mean()
            cells = [f"{e.value:,.3f} ± {e.error:,.3f}", f"{bp.std():,.3f}", f"{tail:,.3f}"]
        out.add(str(w.instrument), f"{len(w.cost.bp):,}", f"{len(bp):,}", *cells)
    return out


def panels(worked: Sequence[Worked]) -> list[list[Panel]]:
    """Two pictures an instrument, for the first twelve: what was chosen, and how much was thought of it."""
    return [_panels(w) for w in worked[:_SHOWN] if len(w.placements["ts"])]


def _panels(w: Worked) -> list[Panel]:
    p = w.placements
    left, steps = p["left"], np.unique(p["left"])
    at = np.searchsorted(steps, left)
    chosen = [np.bincount(at, p["action"] == action, len(steps)) for action in ACTIONS]
    every = np.maximum(np.sum(chosen, axis=0), 1)
    shares = [(a, steps, n / every) for a, n in zip(ACTIONS, chosen, strict=True) if n.any()]
    visits = [np.bincount(at, p[f"visits_{action}"], len(steps)) for action in ACTIONS]
    if np.any(visits):
        total = np.maximum(np.sum(visits, axis=0), 1)
        curves = [(a, steps, n / total) for a, n in zip(ACTIONS, visits, strict=True)]
        second = Panel("Simulations by their first action", "steps to the deadline", "share", curves)
    else:
        costs = np.array([p[f"cost_{action}"] for action in ACTIONS], float)
        known = ~np.isnan(costs).all(axis=0)
        beyond = costs[:, known] - np.nanmin(costs[:, known], axis=0) if known.any() else costs[:, :0]
        curves = [
            (a, steps[np.unique(at[known][~np.isnan(x)])], _means(at[known], x))
            for a, x in zip(ACTIONS, beyond, strict=True)
            if (~np.isnan(x)).any()
        ]
        second = Panel("Cost of an action beyond the best", "steps to the deadline", "ticks, mean", curves)
    return [Panel(f"{w.instrument}: actions on parent orders", "steps to the deadline", "share", shares), second]


def _means(at: Any, x: Any) -> Any:
    there = ~np.isnan(x)
    n = np.bincount(at[there])
    return (np.bincount(at[there], x[there]) / np.maximum(n, 1))[n > 0]
