"""Decoders of JSON that several threads may ask for at once."""

import threading
from typing import TypeVar

import msgspec

T = TypeVar("T")

_BUILDING = threading.Lock()


def json_decoder(kind: type[T], *, strict: bool = True) -> msgspec.json.Decoder[T]:
    """A decoder of texts of ``kind``; ``strict``: as of `msgspec.json.Decoder`.

    msgspec stores what it knows of a type on the type itself, before it is complete. A second thread that asks for the
    same type then reads it half made, and the process ends with a segmentation fault. So decoders are made one by one.
    """
    with _BUILDING:
        return msgspec.json.Decoder(kind, strict=strict)
