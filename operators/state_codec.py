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
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from operators.config import FeatureConfig
from operators.fractal import FractalWindow
from operators.level_blocks import make_book, sides
from operators.rolling_moments import RollingMoments
from operators.rolling_sum import START_BUCKETS, RollingSum, rolling_sum_state
from operators.state import ROWS, SAMPLES, TOP, State

VERSION = 7  # rises with every change of `State`, of what its numbers mean, or of what is kept of it

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


def _kept(state: State) -> list[Array]:
    (bids, bid_sizes), (asks, ask_sizes) = sides(state.book)
    top = int(state.clock[TOP])
    rolling = state.rolling
    held = _held(rolling.position)
    return [
        state.clock, state.value, state.book.levels, bids, asks, bid_sizes, ask_sizes,
        state.top_price[top], state.top_size[top], state.top_count[top],
        state.last_imbalance, state.row_ofi, state.row_trades, state.row_trade_count,
        rolling.position, *(_of_ring(a, held) for a in (rolling.bucket_key, rolling.bucket_count, rolling.bucket_sum)),
        rolling.window_count, rolling.window_sum,
        *_kept_moments(state.zscores), *_kept_moments(state.returns),
        state.fractal.square, state.fractal.begun, state.fractal.equal,
        *(history[:n] for history, n in _histories(state)),
    ]  # fmt: skip


def _rebuilt(arrays: Sequence[Array], like: State) -> State:
    part = iter(arrays)

    def same(array: Array) -> Array:
        """The next array, which was kept whole."""
        return next(part).reshape(array.shape).copy()

    clock, value, _ = same(like.clock), same(like.value), next(part)
    bids, asks, bid_sizes, ask_sizes = (next(part) for _ in range(4))
    tops: list[Array] = [np.zeros_like(a) for a in (like.top_price, like.top_size, like.top_count)]
    for buffer in tops:  # the other one is written before it is read
        buffer[clock[TOP]] = next(part)
    state = like._replace(
        clock=clock, value=value, book=make_book((bids, bid_sizes), (asks, ask_sizes)),
        top_price=tops[0], top_size=tops[1], top_count=tops[2],
        last_imbalance=same(like.last_imbalance), row_ofi=same(like.row_ofi), row_trades=same(like.row_trades),
        row_trade_count=same(like.row_trade_count), rolling=_rebuilt_rolling(like.rolling, part),
        zscores=_rebuilt_moments(like.zscores, part), returns=_rebuilt_moments(like.returns, part),
        fractal=FractalWindow(np.zeros_like(like.fractal.history), *(same(array) for array in like.fractal[1:])),
        **{name: np.zeros_like(getattr(like, name)) for name in ("price_history", "volume_history")},
    )  # fmt: skip
    for history, n in _histories(state):
        history[:n] = history[len(history) // 2 :][:n] = next(part)
    return state


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


def _rebuilt_rolling(like: RollingSum, part: Any) -> RollingSum:
    position = next(part).copy()
    held = _held(position)
    buckets = START_BUCKETS
    while buckets < len(held):
        buckets *= 2
    out = rolling_sum_state(len(like.window_sum), like.bucket_sum.shape[2], like.bucket_count.shape[1], buckets)
    for column in (out.bucket_key, out.bucket_count, out.bucket_sum):
        column[held & (buckets - 1)] = next(part)
    return out._replace(
        position=position,
        window_count=next(part).reshape(like.window_count.shape).copy(),
        window_sum=next(part).reshape(like.window_sum.shape).copy(),
    )


def _kept_moments(moments: RollingMoments) -> tuple[Array, Array, Array]:
    return moments.seen, moments.ring[: int(moments.seen[0])], moments.sums


def _rebuilt_moments(like: RollingMoments, part: Any) -> RollingMoments:
    seen = next(part).copy()
    ring = np.zeros_like(like.ring)
    ring[: int(seen[0])] = next(part)
    return RollingMoments(seen, ring, next(part).reshape(like.sums.shape).copy())


def _histories(state: State) -> list[tuple[Array, int]]:
    """Histories in which every value stands twice, and how many values there are."""
    rows, samples = int(state.clock[ROWS]), int(state.clock[SAMPLES])
    return [
        (history, min(count, len(history) // 2))
        for history, count in (
            (state.price_history, rows),
            (state.volume_history, rows),
            (state.fractal.history, samples),
        )
    ]
