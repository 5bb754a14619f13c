"""A state as bytes: versioned, bound to the configuration it was made with, and no larger than what is in it.

A header (its length, then msgpack: version, configuration, dtype and shape of every array; padded to eight bytes) and
the arrays one after the other, as they lie in memory: they can be written from where they are.

Of the arrays only what a kernel may still read is kept: the levels that exist, the buckets of the rolling sums that lie
in a window, the rows that rings hold, each history once. The rings of the z-scores are nearly all of it, 8 bytes a
depth, window and row: 128 kB at the default settings, where they have filled up.
"""

import hashlib
import math
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from operators.config import FeatureConfig
from operators.features.fractional_difference import Histories
from operators.level_blocks import Book, make_book, sides
from operators.rolling_moments import RollingMoments
from operators.rolling_sum import START_BUCKETS, RollingSum, rolling_sum_state
from operators.state import ROWS, State

VERSION = 13  # rises with every change of `State`, of what its numbers mean, or of what is kept of it

_NOT_KEPT = "scratch"  # the field of a state, or of a feature's, with room for intermediate results

Array = npt.NDArray[Any]
_SIZE = struct.Struct("<I")  # of the header


class _Header(msgspec.Struct, array_like=True):
    version: int
    config: str
    arrays: list[tuple[str, tuple[int, ...]]]  # dtype (`numpy.dtype.char`) and shape


@lru_cache(maxsize=64)  # many instruments share one
def _digest(config: FeatureConfig) -> str:
    return hashlib.sha256(repr(config).encode()).hexdigest()


def parts(state: State, config: FeatureConfig) -> list[bytes | memoryview]:
    """What `dump` joins: views of the state, which change with it."""
    arrays = [np.ascontiguousarray(a) for a in _kept(state)]
    header = msgspec.msgpack.encode(_Header(VERSION, _digest(config), [(a.dtype.char, a.shape) for a in arrays]))
    return [_SIZE.pack(len(header)) + header + bytes(-(_SIZE.size + len(header)) % 8), *(a.data for a in arrays)]


def dump(state: State, config: FeatureConfig) -> bytes:
    """An immutable copy of ``state``."""
    return b"".join(parts(state, config))


def load(data: bytes, like: State, config: FeatureConfig) -> State:
    """The state that `dump` was given, as far as any result depends on it.

    Args:
        like: any state of the same configuration; only its structure is read.

    Raises:
        ValueError: not a snapshot, or one of another version or configuration.
    """
    try:
        (size,) = _SIZE.unpack_from(data)
        header = msgspec.msgpack.decode(data[_SIZE.size : _SIZE.size + size], type=_Header)
    except (struct.error, msgspec.DecodeError) as e:
        raise ValueError(f"not a snapshot of feature state: {e}") from None
    if header.version != VERSION:
        raise ValueError(f"feature state of version {header.version}; this build reads version {VERSION}")
    if header.config != _digest(config):
        raise ValueError("feature state of another configuration: the features' settings have changed since")
    at = -(-(_SIZE.size + size) // 8) * 8
    arrays = []
    for dtype, shape in header.arrays:
        arrays.append(np.frombuffer(data, dtype, math.prod(shape), at).reshape(shape))
        at += arrays[-1].nbytes
    return _rebuilt(arrays, like)


class _Reader:
    """The arrays of a snapshot, one after the other."""

    def __init__(self, arrays: Iterable[Array]) -> None:
        self._arrays = iter(arrays)

    def next(self) -> Array:
        return next(self._arrays)

    def like(self, array: Array) -> Array:
        """The next array, which was kept whole."""
        return self.next().reshape(array.shape).copy()


def _kept(state: State) -> list[Array]:
    return list(_of(state, state))


def _of(part: Any, state: State) -> Iterator[Array]:
    if isinstance(part, np.ndarray):
        yield part
    elif (form := _FORMS.get(type(part))) is not None:
        yield from form[0](part, state)
    else:
        for name, item in zip(part._fields, part, strict=True):
            if name != _NOT_KEPT:
                yield from _of(item, state)


def _rebuilt(arrays: Sequence[Array], like: State) -> State:
    again: State = _again(like, _Reader(arrays))
    return again


def _again(like: Any, reader: _Reader) -> Any:
    if isinstance(like, np.ndarray):
        return reader.like(like)
    if (form := _FORMS.get(type(like))) is not None:
        return form[1](like, reader)
    fields = zip(like._fields, like, strict=True)
    return like._make([_zeros(item) if name == _NOT_KEPT else _again(item, reader) for name, item in fields])


def _zeros(room: Any) -> Any:
    return room._make(map(np.zeros_like, room))


def _kept_book(book: Book, state: State) -> list[Array]:
    (bids, bid_sizes), (asks, ask_sizes) = sides(book)
    return [bids, asks, bid_sizes, ask_sizes]


def _rebuilt_book(like: Book, reader: _Reader) -> Book:
    bids, asks, bid_sizes, ask_sizes = (reader.next() for _ in range(4))
    return make_book((bids, bid_sizes), (asks, ask_sizes))


def _held(position: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Numbers of the buckets that lie in a window, and of the newest one, which may still grow."""
    head = int(position[0])
    return np.arange(max(0, min(int(position[1:].min()), head - 1)), head)


def _of_ring(ring: Array, numbers: npt.NDArray[np.int64]) -> Array:
    """The elements of consecutive numbers; a view where they lie together."""
    if not len(numbers):
        return ring[:0]
    first, last = int(numbers[0]) & (len(ring) - 1), int(numbers[-1]) & (len(ring) - 1)
    return ring[first : last + 1] if first <= last else np.concatenate([ring[first:], ring[: last + 1]])


def _kept_rolling(rolling: RollingSum, state: State) -> list[Array]:
    held = _held(rolling.position)
    rings = (rolling.bucket_key, rolling.bucket_count, rolling.bucket_sum)
    return [rolling.position, *(_of_ring(a, held) for a in rings), rolling.window_count, rolling.window_sum]


def _rebuilt_rolling(like: RollingSum, reader: _Reader) -> RollingSum:
    position = reader.next().copy()
    held = _held(position)
    buckets = START_BUCKETS
    while buckets < len(held):
        buckets *= 2
    out = rolling_sum_state(len(like.window_sum), like.bucket_sum.shape[2], like.bucket_count.shape[1], buckets)
    for column in (out.bucket_key, out.bucket_count, out.bucket_sum):
        column[held & (buckets - 1)] = reader.next()
    window_count, window_sum = reader.like(like.window_count), reader.like(like.window_sum)
    return out._replace(position=position, window_count=window_count, window_sum=window_sum)


def _kept_moments(moments: RollingMoments, state: State) -> list[Array]:
    return [moments.seen, moments.ring[: int(moments.seen[0])], moments.sums]


def _rebuilt_moments(like: RollingMoments, reader: _Reader) -> RollingMoments:
    seen = reader.next().copy()
    ring = np.zeros_like(like.ring)
    ring[: int(seen[0])] = reader.next()
    return RollingMoments(seen, ring, reader.like(like.sums))


def _kept_histories(histories: Histories, state: State) -> list[Array]:
    """Once what stands twice."""
    return [history[: min(int(state.clock[ROWS]), len(history) // 2)] for history in histories]


def _rebuilt_histories(like: Histories, reader: _Reader) -> Histories:
    again = Histories(*(np.zeros_like(history) for history in like))
    for history in again:
        values = reader.next()
        history[: len(values)] = history[len(history) // 2 :][: len(values)] = values
    return again


# By type: what is kept of it, and how it is rebuilt. Every other part is kept whole.
_FORMS: dict[type, tuple[Callable[[Any, State], Iterable[Array]], Callable[[Any, _Reader], Any]]] = {
    Book: (_kept_book, _rebuilt_book),
    RollingSum: (_kept_rolling, _rebuilt_rolling),
    RollingMoments: (_kept_moments, _rebuilt_moments),
    Histories: (_kept_histories, _rebuilt_histories),
}
