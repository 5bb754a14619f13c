"""A state as bytes: versioned, bound to the configuration it was made with, and no larger than what is in it.

Of the arrays only what a kernel may still read is kept: the levels that exist, the buckets of the rolling sums that lie
in a window, the rows that rings hold, each history once. The rings of the z-scores are nearly all of it, 8 bytes a
depth, window and row: 128 kB at the default settings, where they have filled up.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from operators.blocks import make_book, sides
from operators.config import FeatureConfig
from operators.rolling_moments import RollingMoments
from operators.rolling_sum import START_BUCKETS, RollingSum, rolling_sum_state
from operators.state import ROWS, SAMPLES, TOP, State

VERSION = 3  # rises with every change of `State`, of what its numbers mean, or of what is kept of it

Array = npt.NDArray[Any]


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


def dump(state: State, config: FeatureConfig) -> bytes:
    """An immutable copy of ``state``."""
    arrays = [_Array(a.dtype.str, a.shape, a.tobytes()) for a in _kept(state)]
    return msgspec.msgpack.encode(_Snapshot(VERSION, _digest(config), arrays))


def load(data: bytes, like: State, config: FeatureConfig) -> State:
    """The state that `dump` was given, as far as any result depends on it.

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
    return _rebuilt([np.frombuffer(a.data, np.dtype(a.dtype)).reshape(a.shape) for a in snapshot.arrays], like)


def _kept(state: State) -> list[Array]:
    (bids, bid_sizes), (asks, ask_sizes) = sides(state.book)
    top = int(state.clock[TOP])
    rolling = state.rolling
    held = _held(rolling.position) & (len(rolling.bucket_key) - 1)
    return [
        state.clock, state.value, state.book.levels, bids, asks, bid_sizes, ask_sizes,
        state.top_price[top], state.top_size[top], state.top_count[top],
        state.last_imbalance, state.row_ofi, state.row_trades, state.row_trade_count,
        rolling.position, rolling.bucket_key[held], rolling.bucket_count[held], rolling.bucket_sum[held],
        rolling.window_count, rolling.window_sum,
        *_kept_moments(state.zscores), *_kept_moments(state.returns),
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
        **{name: np.zeros_like(getattr(like, name)) for name in ("price_history", "volume_history", "fdi_history")},
    )  # fmt: skip
    for history, n in _histories(state):
        history[:n] = history[len(history) // 2 :][:n] = next(part)
    return state


def _held(position: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Numbers of the buckets that lie in a window, and of the newest one, which may still grow."""
    head = int(position[0])
    return np.arange(max(0, min(int(position[1:].min()), head - 1)), head)


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
            (state.fdi_history, samples),
        )
    ]
