"""The start of every dataflow module: settings, or one line and exit code 2."""

import sys
from collections.abc import Mapping
from typing import Any

from dataflows.settings import Settings, load_settings
from sources.errors import TickwaxError


def load_or_exit(overrides: Mapping[str, Any] | None = None) -> Settings:
    """Load the settings for ``python -m bytewax.run``, where no command line of ours stands around the import.

    Raises:
        SystemExit: the settings are wrong (code 2); the line is on standard error.
    """
    try:
        return load_settings(overrides)
    except TickwaxError as e:
        print(f"tickwax: {e}", file=sys.stderr)
        sys.exit(2)
