"""The verbs of ``tickwax``, one a module; importing them adds them to `app`."""

from dataflows.app import app
from dataflows.verbs import demo, importing, replay, settings, simulate, synth

__all__ = ["app", "demo", "importing", "replay", "settings", "simulate", "synth"]
