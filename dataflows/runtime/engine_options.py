"""What the user asked of Bytewax itself (``-r``, ``-i``, ``-a``), as far as the dataflows must know it."""

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Recovery:
    """What a run can be resumed from, if it is to be."""

    directory: Path
    backup_seconds: float = 0.0  # for how long states are kept that are not needed any more


def recovery() -> Recovery | None:
    """Where state is to be kept for a resumption; None: nowhere."""
    directory = _option("BYTEWAX_RECOVERY_DIRECTORY", "-r", "--recovery-directory")
    backup = _option("BYTEWAX_RECOVERY_BACKUP_INTERVAL", "-b", "--backup-interval")
    return Recovery(Path(directory), float(backup or 0)) if directory else None


def cluster() -> str:
    """The addresses of the processes that work together, the same text in each; empty if this one is alone."""
    addresses = _option("BYTEWAX_ADDRESSES", "-a", "--addresses") or os.environ.get("BYTEWAX_HOSTFILE_PATH") or ""
    return addresses if ";" in addresses or "/" in addresses else ""


def _option(variable: str, *names: str) -> str | None:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument(*names, dest="value", default=os.environ.get(variable))
    value: str | None = parser.parse_known_args(sys.argv[1:])[0].value
    return value or None
