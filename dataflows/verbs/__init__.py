"""The verbs of ``tickwax``, one a module: signature and help. Importing them adds them to `app`.

They import Typer and plain names. What a verb does is in `dataflows.jobs`; it comes with its libraries when the verb is
called, under `dataflows.interpreter.quick_imports`. So ``--help`` needs no library, and no verb those of another.
"""

from dataflows.app import app
from dataflows.verbs import demo, importing, live, optimal_d, replay, settings, simulate, symbols, synth, topics

__all__ = [
    "app",
    "demo",
    "importing",
    "live",
    "optimal_d",
    "replay",
    "settings",
    "simulate",
    "symbols",
    "synth",
    "topics",
]
