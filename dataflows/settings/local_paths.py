"""Paths on this machine, told apart from addresses such as ``s3://bucket/tape``. Needs no library for them."""

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


def data_set_path(text: str) -> Path:
    """The folder of a data set, on this machine or, as ``s3://bucket/prefix``, in an object store.

    Raises:
        ValueError: it is the address of something else.
    """
    if not text.startswith("s3:"):
        return local_path(text)
    from sources.store.path import StorePath  # brings PyArrow

    return StorePath.parse(text)
