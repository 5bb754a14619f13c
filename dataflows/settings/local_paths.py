"""Paths on this machine, told apart from addresses such as ``s3://bucket/tape``. Needs no library."""

import re
from pathlib import Path

from sources.redaction import redacted


def local_path(text: str) -> Path:
    """A path on this machine.

    Raises:
        ValueError: it is the address of something else, such as ``s3://bucket/tape``.
    """
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+:/", text):  # Path would make a local folder `s3:` of it
        raise ValueError(f"{redacted(text)!r} is an address; only local files and folders are read and written")
    return Path(text)
