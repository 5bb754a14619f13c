"""What the user asked of Bytewax itself (``-r``, ``-i``, ``-a``), as far as the dataflows must know it."""

import argparse
import os
import sys


def recovery_directory() -> str | None:
    """Where state is to be kept for a resumption; None: nowhere."""
    return _option("BYTEWAX_RECOVERY_DIRECTORY", "-r", "--recovery-directory")


def cluster() -> str:
    """The addresses of the processes that work together, the same text in each; empty if this one is alone."""
    addresses = _option("BYTEWAX_ADDRESSES", "-a", "--addresses") or os.environ.get("BYTEWAX_HOSTFILE_PATH") or ""
    return addresses if ";" in addresses or "/" in addresses else ""


def _option(variable: str, *names: str) -> str | None:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument(*names, dest="value", default=os.environ.get(variable))
    value: str | None = parser.parse_known_args(sys.argv[1:])[0].value
    return value or None
