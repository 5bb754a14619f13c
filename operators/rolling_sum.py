"""Sums over the events of the last w nanoseconds, for several windows and several quantities at once.

Events fall into buckets of ``quantum`` ns of the clock, the greatest common divisor of the sampling step and every
window, so that a bucket lies wholly inside or outside a window at every row. Each window keeps a running sum: an event
is added when it comes, a bucket is subtracted when it leaves. The sums are compensated pairs (`compensated`), and a
window that no event of a quantity's kind is in has the sum 0.0 exactly.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from operators.compensated import add_each, take_each
from operators.jit import kernel
from sources.tape.batch import Float64s, Int64s

START_BUCKETS = 64


class RollingSum(NamedTuple):
    """State of Q quantities (each of one of K kinds of event) over W windows; the ring holds B buckets (a power of 2).

    Positions ``head`` (next bucket) and ``tail`` (first bucket of each window) count buckets since the start and are
    taken modulo B.
    """

    position: Int64s  # (1 + W,): head, then each window's tail
    bucket_key: Int64s  # (B,): ceil(clock / quantum)
    bucket_count: Int64s  # (B, K): events of each kind
    bucket_sum: Float64s  # (B, 2, Q): pairs, hi and lo apart
    window_count: Int64s  # (W, K)
    window_sum: Float64s  # (W, 2, Q)


class RollingShape(NamedTuple):
    """What does not change: the windows, and which kind of event each quantity belongs to."""

    quantum: npt.NDArray[np.int64]  # (1,) ns
    window: Int64s  # (W,) in quanta
    kind: Int64s  # (Q,)


def rolling_sum_state(windows: int, quantities: int, kinds: int, buckets: int = START_BUCKETS) -> RollingSum:
    """An empty state."""
    return RollingSum(
        np.zeros(1 + windows, np.int64),
        np.zeros(buckets, np.int64),
        np.zeros((buckets, kinds), np.int64),
        np.zeros((buckets, 2, quantities)),
        np.zeros((windows, kinds), np.int64),
        np.zeros((windows, 2, quantities)),
    )


def grown(state: RollingSum) -> RollingSum:
    """The same state with room for twice the buckets."""
    head, first = int(state.position[0]), int(state.position[1:].min())
    old = len(state.bucket_key)
    out = rolling_sum_state(len(state.window_sum), state.bucket_sum.shape[2], state.bucket_count.shape[1], 2 * old)
    held = np.arange(first, head)
    for new_column, column in zip(out[1:4], state[1:4], strict=True):
        new_column[held % (2 * old)] = column[held % old]
    return out._replace(position=state.position, window_count=state.window_count, window_sum=state.window_sum)


@kernel
def clear(state: RollingSum) -> None:
    """Forget every event."""
    state.position[:] = 0
    state.window_count[:] = 0
    state.window_sum[:] = 0.0


@kernel
def slide(state: RollingSum, shape: RollingShape, key: int) -> None:
    """Let go of what is outside ``(t − w, t]`` for the time ``t = key · quantum``."""
    mask = len(state.bucket_key) - 1
    head = state.position[0]
    for w in range(len(shape.window)):
        edge = key - shape.window[w]
        tail = state.position[1 + w]
        while tail < head and state.bucket_key[tail & mask] <= edge:
            b = tail & mask
            emptied = False
            for k in range(state.window_count.shape[1]):
                leaving = state.bucket_count[b, k]
                state.window_count[w, k] -= leaving
                emptied |= leaving > 0 and state.window_count[w, k] == 0
            take_each(state.window_sum[w], state.bucket_sum[b])
            if emptied:
                for q in range(len(shape.kind)):
                    if state.window_count[w, shape.kind[q]] == 0:
                        state.window_sum[w, :, q] = 0.0
            tail += 1
        state.position[1 + w] = tail


@kernel
def needs_bucket(state: RollingSum, shape: RollingShape, clock: int) -> bool:
    """Whether an event at ``clock`` begins a new bucket: the clock never runs backwards, so else it is the newest."""
    head = state.position[0]
    newest = (head - 1) & (len(state.bucket_key) - 1)
    return head == 0 or clock > state.bucket_key[newest] * shape.quantum[0]


@kernel
def bucket_of(clock: int, quantum: int) -> int:
    """``ceil(clock / quantum)``."""
    return clock if quantum == 1 else -((-clock) // quantum)


@kernel
def has_free_bucket(state: RollingSum) -> bool:
    """Whether some bucket is in no window."""
    head = state.position[0]
    first = head
    for w in range(1, len(state.position)):
        first = min(first, state.position[w])
    return head - first < len(state.bucket_key)


@kernel
def has_room(state: RollingSum, shape: RollingShape, clock: int) -> bool:
    """Whether an event at ``clock`` fits; if not, the state must be `grown` first."""
    if has_free_bucket(state) or not needs_bucket(state, shape, clock):
        return True
    slide(state, shape, bucket_of(clock, shape.quantum[0]))
    return has_free_bucket(state)


@kernel
def open_bucket(state: RollingSum, shape: RollingShape, clock: int) -> int:
    """The ring index of the bucket that an event at ``clock`` belongs to; there is room (`has_room`)."""
    mask = len(state.bucket_key) - 1
    head = state.position[0]
    if not needs_bucket(state, shape, clock):
        return (head - 1) & mask
    # Sliding here, not only at rows, keeps the order of all sums independent of the ring's size.
    key = bucket_of(clock, shape.quantum[0])
    slide(state, shape, key)
    b = head & mask
    state.bucket_key[b] = key
    state.bucket_count[b] = 0
    state.bucket_sum[b] = 0.0
    state.position[0] = head + 1
    return b


@kernel
def add_events(state: RollingSum, shape: RollingShape, clock: int, kind: int, first: int, values: Float64s) -> None:
    """One event of a kind, with its values for the quantities ``first, first + 1, …``."""
    b = open_bucket(state, shape, clock)
    state.bucket_count[b, kind] += 1
    windows = len(shape.window)
    for w in range(windows):
        state.window_count[w, kind] += 1
    add_each(state.bucket_sum[b], first, values)
    for w in range(windows):
        add_each(state.window_sum[w], first, values)
