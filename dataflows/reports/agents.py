"""What a trained agent was worth on tapes that it had not seen: a table, lines, and pictures."""

from pathlib import Path
from typing import Any

import numpy as np

from dataflows.reports.chart_panels import Panel
from dataflows.reports.text_table import TextTable


def agent_table(report: dict[str, Any]) -> TextTable:
    """A line a path, then holding, then nothing."""
    out = TextTable(("judged", "net profit", "worst quarter of minutes", "Sharpe", "in position", "fees", "fills"))
    for one in report["judged"]:
        sharpe = "-" if one["sharpe"] is None else f"{one['sharpe']:,.1f} ± {one['sharpe_error']:,.1f}"
        tail = "-" if one["tail"] is None else f"{one['tail']:,.4f}"
        shares = f"{100 * one['in_position']:.1f} %"
        out.add(one["name"], f"{one['net']:,.4f}", tail, sharpe, shares, f"{one['fees']:,.4f}", f"{one['fills']:,}")
    return out


def agent_lines(report: dict[str, Any], path: Path) -> list[str]:
    """Where the agent is, what it was made of, and in words where it is worth nothing."""
    said = [
        f"{path}: agent {report['identity'][:12]}, trained on {report['rows']['training']:,} decisions with a position "
        f"of {report['size']:g}; judged by backtests over {_paths(report)} of {report['splits']} splits, each decision "
        "by an agent that has not seen it",
        "Profit in the quote currency, after fees; the worst quarter of minutes is their mean (CVaR 25 %).",
    ]
    if any(one["tail"] is None for one in report["judged"]):
        said.append("A worst quarter needs at least four minutes of tape; these are fewer.")
    nets = [one["net"] for one in report["judged"][:-2]]
    hold = report["judged"][-2]["net"]
    best = max(hold, 0.0)
    better = sum(net > best for net in nets)
    if better < len(nets):
        other = "holding" if hold > 0 else "doing nothing"
        said.append(f"In {len(nets) - better} of {len(nets)} paths it earned no more than {other} would have.")
    if report["planted"]:
        said.append("PLANTED: the tape is of a synthetic market, whose edge somebody put there.")
    return said


def agent_panels(report: dict[str, Any]) -> list[list[Panel]]:
    """Equity of every path beside holding; learning curves of every network."""
    equity = [(one["name"], np.array(one["ts"], "datetime64[ns]"), np.array(one["equity"])) for one in report["equity"]]
    curves = report["training"]
    named = [(f"network {number + 1}", one) for number, one in enumerate(curves)]
    returns, losses = (
        [(name, np.array(one["steps"]), np.array(one[what], np.float64)) for name, one in named]
        for what in ("mean_return", "loss")
    )
    return [
        [Panel("equity over paths that were not seen", "", "quote currency", equity)],
        [
            Panel("mean return of the last 20 episodes", "steps", "reward", returns),
            Panel("loss", "steps", "", losses),
        ],
    ]


def _paths(report: dict[str, Any]) -> str:
    n = len(report["judged"]) - 2
    return "1 path" if n == 1 else f"{n} paths"
