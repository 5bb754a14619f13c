"""The verbs of ``tickwax``, one a module; importing them adds them to `app`."""

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
