"""The verbs of ``tickwax``; importing this package registers them."""

from dataflows.verbs import settings, synth  # noqa: F401
