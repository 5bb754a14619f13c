"""The verbs of ``tickwax``, one a module: signature and help. Importing them adds them to `app`.

They import Typer and plain names. What a verb does is in `dataflows.command_line.jobs`; it comes with its libraries
when the verb is called, under `dataflows.runtime.process_tuning.quick_imports`. So ``--help`` needs no library, and no
verb those of another.
"""

from dataflows.command_line.app import app
from dataflows.command_line.verbs import (
    backtest,
    columns,
    comparing,
    dataset,
    demo,
    evaluate,
    exporting,
    importing,
    inspecting,
    live,
    models,
    optimal_d,
    paper,
    plotting,
    reflecting,
    replay,
    rules,
    settings,
    simulate,
    symbols,
    synth,
    topics,
    train,
    window,
)

__all__ = [
    "app",
    "backtest",
    "columns",
    "comparing",
    "dataset",
    "demo",
    "evaluate",
    "exporting",
    "importing",
    "inspecting",
    "live",
    "models",
    "optimal_d",
    "paper",
    "plotting",
    "reflecting",
    "replay",
    "rules",
    "settings",
    "simulate",
    "symbols",
    "synth",
    "topics",
    "train",
    "window",
]
