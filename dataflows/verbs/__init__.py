"""The verbs of ``tickwax``; importing this package registers them."""

from dataflows.verbs import settings  # noqa: F401
