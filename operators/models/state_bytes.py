"""The state of a model as bytes: its arrays one after the other, bound to the model that it is of."""

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

_DIGEST = 32


def dump(state: Any, identity: str) -> bytes:
    """An immutable copy.

    Args:
        state: a named tuple of arrays, nested as one likes.
        identity: of the model.
    """
    return b"".join([_mark(state, identity), *(np.ascontiguousarray(array).tobytes() for array in _arrays(state))])


def load(data: bytes, like: Any, identity: str) -> Any:
    """The state that `dump` was given.

    Args:
        like: any state of the same model; only its structure is read.

    Raises:
        ValueError: it is the state of another model, or was cut off.
    """
    if data[:_DIGEST] != _mark(like, identity):
        raise ValueError("state of another model")
    if len(data) != _DIGEST + sum(array.nbytes for array in _arrays(like)):
        raise ValueError(f"state of a model that was cut off after {len(data)} bytes")
    return _again(like, data, _DIGEST)[0]


def _mark(state: Any, identity: str) -> bytes:
    forms = [(array.dtype.str, array.shape) for array in _arrays(state)]
    return hashlib.sha256(f"1 {identity} {forms}".encode()).digest()  # 1: version of what is kept


def _arrays(part: Any) -> Iterator[Any]:
    if isinstance(part, np.ndarray):
        yield part
    else:
        for item in part:
            yield from _arrays(item)


def _again(like: Any, data: bytes, at: int) -> tuple[Any, int]:
    if isinstance(like, np.ndarray):
        array = np.frombuffer(data, like.dtype, like.size, at).reshape(like.shape).copy()
        return array, at + array.nbytes
    items = []
    for item in like:
        again, at = _again(item, data, at)
        items.append(again)
    return (like._make(items) if hasattr(like, "_make") else tuple(items)), at
