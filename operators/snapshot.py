"""A state as bytes: versioned, bound to the configuration it was made with, independent of the machine's arrays."""

import hashlib
from collections.abc import Iterator

import msgspec
import numpy as np
import numpy.typing as npt

from operators.config import FeatureConfig
from operators.state import State

VERSION = 1  # rises with every change of `State` or of what its numbers mean


class _Array(msgspec.Struct, array_like=True):
    dtype: str
    shape: tuple[int, ...]
    data: bytes


class _Snapshot(msgspec.Struct, array_like=True):
    version: int
    config: str
    arrays: list[_Array]


def _digest(config: FeatureConfig) -> str:
    return hashlib.sha256(repr(config).encode()).hexdigest()


def _arrays(state: object) -> Iterator[npt.NDArray[np.generic]]:
    if isinstance(state, np.ndarray):
        yield state
    else:
        for part in state:  # type: ignore[attr-defined]  # a named tuple of arrays and such tuples
            yield from _arrays(part)


def dump(state: State, config: FeatureConfig) -> bytes:
    """An immutable copy of ``state``."""
    arrays = [_Array(a.dtype.str, a.shape, a.tobytes()) for a in _arrays(state)]
    return msgspec.msgpack.encode(_Snapshot(VERSION, _digest(config), arrays))


def load(data: bytes, like: State, config: FeatureConfig) -> State:
    """The state that `dump` was given.

    Args:
        like: any state of the same configuration; only its structure is read.

    Raises:
        ValueError: not a snapshot, or one of another version or configuration.
    """
    try:
        snapshot = msgspec.msgpack.decode(data, type=_Snapshot)
    except msgspec.DecodeError as e:
        raise ValueError(f"not a snapshot of feature state: {e}") from None
    if snapshot.version != VERSION:
        raise ValueError(f"feature state of version {snapshot.version}; this build reads version {VERSION}")
    if snapshot.config != _digest(config):
        raise ValueError("feature state of another configuration: the features' settings have changed since")
    arrays = iter(snapshot.arrays)

    def rebuild(part: object) -> object:
        if isinstance(part, np.ndarray):
            a = next(arrays)
            return np.frombuffer(a.data, np.dtype(a.dtype)).reshape(a.shape).copy()
        return type(part)(*(rebuild(p) for p in part))  # type: ignore[attr-defined]

    state = rebuild(like)
    assert isinstance(state, State)
    return state
