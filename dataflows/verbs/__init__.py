"""The verbs of ``tickwax``; importing this package registers them."""

from dataflows.verbs import importing, replay, settings, synth  # noqa: F401
