"""Decoders of JSON that several threads may ask for at once."""

import threading
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_BUILDING = threading.Lock()


def json_decoder(kind: type[T], *, strict: bool = True) -> msgspec.json.Decoder[T]:
    """A decoder of texts of ``kind``; ``strict``: as of `msgspec.json.Decoder`.

    msgspec notes on a type what it has found out of it, before it is through: a thread that asks for the same type
    meanwhile reads what is not there yet, and the process ends with a segmentation fault. So one asks after the other.
    """
    with _BUILDING:
        made: Any = msgspec.json.Decoder(kind, strict=strict)
    decoder: msgspec.json.Decoder[T] = made
    return decoder
