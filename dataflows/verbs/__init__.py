"""The verbs of ``tickwax``; importing this package registers them."""

from dataflows.verbs import demo, importing, replay, settings, synth  # noqa: F401
