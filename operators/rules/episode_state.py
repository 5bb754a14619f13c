"""What is remembered of an instrument's episodes between batches of rows, as versioned bytes and back."""

import io
import struct
import zipfile
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import numpy as np

from operators.rules.schemas import HORIZONS
from sources.tape.batch import Float64s, Int64s

REMEMBERED = 6000  # feature rows before the opening fill, among which the entry row is looked for
TIMES = tuple(HORIZONS.values())
VERSION = 1  # rises with every change of what is kept, or of what it means

_MARK = struct.Struct("<qqq")
EPISODE_MARK_BYTES = _MARK.size
_INTEGERS = ("opened_ts", "order_id", "side", "liquidity", "entry_ts", "regime", "fills", "closed_ts", "unmarked")
_NUMBERS = ("price", "notional", "size", "fees", "net", "position", "best", "worst")
_FILL_INTEGERS = 4  # ts, order id, side, liquidity; then price, size, fee, position, volume


class EpisodeMark(NamedTuple):
    """How far the step has come with an instrument, so that a resumption can hold it against trading and the sink."""

    equity: int = 0  # rows taken
    episodes: int = 0  # rows given
    ended: int = 0  # 1: no more rows will come

    def pack(self) -> bytes:
        """As the first `EPISODE_MARK_BYTES` of what is kept."""
        return _MARK.pack(*self)

    @classmethod
    def of(cls, data: bytes) -> Self:
        """As `pack` gave it."""
        return cls(*_MARK.unpack_from(data))


@dataclass(eq=False)
class Episode:
    """A position since its entry."""

    opened_ts: int
    order_id: int
    side: int
    liquidity: int
    price: float
    entry_ts: int
    regime: int
    entry: Float64s
    notional: float = 0.0
    size: float = 0.0
    fees: float = 0.0
    net: float = 0.0  # what was received less what was paid
    position: float = 0.0
    fills: int = 0
    best: float = float("-inf")
    worst: float = float("inf")
    closed_ts: int = 0
    markouts: list[float] = field(default_factory=lambda: [float("nan")] * len(TIMES))
    unmarked: int = len(TIMES)


@dataclass
class EpisodeState:
    """Of one instrument.

    Attributes:
        arrived: exchange time of an order's arrival, ns, by its number.
        done: orders of which no more fills come.
        fills: that no feature row has come after.
        volume: quote currency, of all fills.
        now: latest time of a row, ns.
        past: times, columns and regimes of the newest feature rows, at least `REMEMBERED` of them.
        open: the episode that is not flat.
        marking: episodes that wait for the markout of each horizon, with its time.
        mid: of the newest row.
        closed: episodes that wait for markouts, or for an earlier one that does.
    """

    arrived: dict[int, int] = field(default_factory=dict)
    done: list[int] = field(default_factory=list)
    fills: deque[tuple[Any, ...]] = field(default_factory=deque)
    volume: float = 0.0
    position: float = 0.0
    now: int = -(1 << 62)
    past: deque[tuple[Int64s, Float64s, Any]] = field(default_factory=deque)
    open: Episode | None = None
    marking: tuple[deque[tuple[int, Episode]], ...] = field(default_factory=lambda: tuple(deque() for _ in TIMES))
    mid: float = float("nan")
    closed: deque[Episode] = field(default_factory=deque)


def dump(state: EpisodeState, columns: int) -> bytes:
    """The state as bytes.

    Args:
        columns: how many an entry row has.
    """
    waiting = [e for marking in state.marking for _, e in marking]
    episodes = list(dict.fromkeys([*([] if state.open is None else [state.open]), *state.closed, *waiting]))
    place = {e: i for i, e in enumerate(episodes)}
    fills = list(state.fills)
    arrays: dict[str, Any] = {
        "version": np.array(VERSION),
        "arrived": np.array(list(state.arrived.items()), np.int64).reshape(-1, 2),
        "done": np.array(state.done, np.int64),
        "fill_integer": np.array([f[:_FILL_INTEGERS] for f in fills], np.int64).reshape(-1, _FILL_INTEGERS),
        "fill_value": np.array([f[_FILL_INTEGERS:] for f in fills], np.float64).reshape(-1, 5),
        "integer": np.array([state.now, place[state.open] if state.open else -1], np.int64),
        "value": np.array([state.volume, state.position, state.mid]),
        "closed": np.array([place[e] for e in state.closed], np.int64),
        "episode_integer": _table(([getattr(e, n) for n in _INTEGERS] for e in episodes), np.int64, len(_INTEGERS)),
        "episode_value": _table(
            ([*(getattr(e, n) for n in _NUMBERS), *e.markouts] for e in episodes),
            np.float64,
            len(_NUMBERS) + len(TIMES),
        ),
        "episode_entry": _table((e.entry for e in episodes), np.float64, columns),
        **_remembered(state, columns),
    }
    for h, marking in enumerate(state.marking):
        arrays[f"marking_{h}"] = np.array([(then, place[e]) for then, e in marking], np.int64).reshape(-1, 2)
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def load(data: bytes, columns: int) -> EpisodeState:
    """The state that `dump` was given.

    Raises:
        ValueError: it is none, of another version, or of other columns.
    """
    if not zipfile.is_zipfile(io.BytesIO(data)):
        raise ValueError("not a state of episodes")
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            if int(arrays["version"]) != VERSION:
                raise ValueError(f"state of version {int(arrays['version'])}; this build reads version {VERSION}")
            return _loaded(dict(arrays), columns)
    except (KeyError, OSError, EOFError, zipfile.BadZipFile) as e:
        raise ValueError(f"not a state of episodes: {e}") from None


def _loaded(arrays: dict[str, Any], columns: int) -> EpisodeState:
    if arrays["past_columns"].shape[0] != columns or arrays["episode_entry"].shape[1] != columns:
        raise ValueError(f"state of {arrays['past_columns'].shape[0]} columns, not of {columns}")
    episodes = []
    numbers = zip(arrays["episode_integer"].tolist(), arrays["episode_value"].tolist(), strict=True)
    for (integers, values), entry in zip(numbers, arrays["episode_entry"], strict=True):
        told = dict(zip(_INTEGERS, integers, strict=True)) | dict(zip(_NUMBERS, values, strict=False))
        episodes.append(Episode(**told, markouts=values[len(_NUMBERS) :], entry=entry.copy()))
    now, at = arrays["integer"].tolist()
    fills = zip(arrays["fill_integer"].tolist(), arrays["fill_value"].tolist(), strict=True)
    past = (arrays["past_ts"], arrays["past_columns"], arrays["past_regime"])
    volume, position, mid = arrays["value"].tolist()
    marking = (arrays[f"marking_{h}"].tolist() for h in range(len(TIMES)))
    return EpisodeState(
        arrived=dict(arrays["arrived"].tolist()),
        done=arrays["done"].tolist(),
        fills=deque((*integers, *values) for integers, values in fills),
        volume=volume,
        position=position,
        now=now,
        past=deque([past] if len(past[0]) else []),
        open=episodes[at] if at >= 0 else None,
        marking=tuple(deque((then, episodes[i]) for then, i in rows) for rows in marking),
        mid=mid,
        closed=deque(episodes[i] for i in arrays["closed"].tolist()),
    )


def _table(rows: Iterable[Any], dtype: Any, width: int) -> Any:
    return np.array(list(rows), dtype).reshape(-1, width)


def _remembered(state: EpisodeState, columns: int) -> dict[str, Any]:
    """The newest `REMEMBERED` feature rows, joined."""
    if not state.past:
        none = np.empty(0, np.int64), np.empty((columns, 0)), np.empty(0, np.int8)
        return dict(zip(("past_ts", "past_columns", "past_regime"), none, strict=True))
    times, values, regimes = zip(*state.past, strict=True)
    return {
        "past_ts": np.concatenate(times)[-REMEMBERED:],
        "past_columns": np.concatenate(values, axis=1)[:, -REMEMBERED:],
        "past_regime": np.concatenate(regimes)[-REMEMBERED:],
    }
