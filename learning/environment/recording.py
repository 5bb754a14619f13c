"""What an agent could see at each decision, and the book that its order would meet: a tape, computed once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from learning.environment import room as at
from learning.environment.calls import WANTED, CallLog, ended
from learning.environment.recorder import RecordingEngine
from operators.arguments import as_count
from operators.config import FeatureConfig
from operators.execution.columns import decision_columns
from operators.execution.grid import Grid
from operators.execution.state import ExecutionConfig, make_rules
from operators.models.predictions import Predictor
from sources.tape.batch import Float64s, Int64s, TapeBatch

_QUOTES = ("bid_price", "ask_price")


@dataclass(frozen=True)
class Calls:
    """What an exchange in which orders rest is called with, between the decisions of a `Recording`.

    Attributes:
        log: the calls, and the changes of the book.
        after: of each decision, the first call after it.
        bid, ask: quote currency, best prices of the feature row of each decision.
    """

    log: CallLog
    after: Int64s
    bid: Float64s
    ask: Float64s


@dataclass(frozen=True)
class Recording:
    """Decisions of one instrument in the order of time, and the rules of its exchange.

    Attributes:
        columns: names of the feature columns.
        features: shape ``(decisions, columns)``, NaN where one is not known.
        ts: ns, exchange time of the feature row; ``local_ts``: ns, local time of the decision.
        row: number of the feature row.
        segment: number of the segment; no step leads from one to another.
        mid: quote currency, by which the account is valued then.
        quote, spread: quote currency, middle and distance of the feature row's best prices.
        act: ns, exchange time at which an order of the decision acts.
        next_decision: the first decision that is taken after it has acted; as many as there are if it never does.
        known: whether the book is known then, has two sides and is not crossed.
        price, size: of that book, shape ``(decisions, 2, depth)``: bids and asks from the best outwards, NaN and 0
            beyond the last.
        since: same shape: the decision since whose order the level has had its size after every message.
        settled: of the fundings, how many decisions had been taken before, and how many of their orders had acted;
            shape ``(2, fundings)``.
        funding: price and rate that they were settled at, same shape.
        step_ns: from one decision to the next.
        execution, grid: of the exchange.
        calls: for orders that rest; None: they were not asked for.
        doubt: of a forecast, at each decision, NaN where it is not known; None: it was not asked for.
    """

    columns: tuple[str, ...]
    features: Float64s
    ts: Int64s
    local_ts: Int64s
    row: Int64s
    segment: Int64s
    mid: Float64s
    quote: Float64s
    spread: Float64s
    act: Int64s
    next_decision: Int64s
    known: npt.NDArray[np.bool_]
    price: Float64s
    size: Float64s
    since: Int64s
    settled: Int64s
    funding: Float64s
    step_ns: int
    execution: ExecutionConfig
    grid: Grid
    calls: Calls | None = None
    doubt: Float64s | None = None

    def __len__(self) -> int:
        return len(self.ts)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Recording":
        return self  # nothing of it changes; Gymnasium copies the arguments of an environment

    @property
    def depth(self) -> int:
        """Levels a side that were kept."""
        return int(self.price.shape[2])

    @property
    def last(self) -> Int64s:
        """The last decision of each one's segment."""
        ends = np.append(np.flatnonzero(np.diff(self.segment)), len(self) - 1)
        return ends[np.searchsorted(ends, np.arange(len(self)))]


def record(
    tape: Iterable[TapeBatch | tuple[TapeBatch, int]],
    config: FeatureConfig,
    execution: ExecutionConfig,
    grid: Grid,
    columns: Sequence[str],
    *,
    step_ns: int = 1_000_000_000,
    depth: int = 20,
    full_depth: bool = False,
    resting: bool = False,
    forecasts: Predictor | None = None,
    doubt: str = "",
) -> Recording:
    """Compute the decisions of a tape.

    The first feature row of each ``step_ns`` and of each segment is one. A segment ends at a ``reset`` and at a hole
    longer than the features' ``max_hold``.

    Args:
        tape: of one instrument, in order; a batch may stand with its ``cut_levels`` (`InstrumentBatch`).
        execution: latencies and fees.
        columns: of the features and of the forecasts, to be seen.
        depth: levels a side that are kept of a book; an order that needs more is refused when it acts.
        full_depth: as of `operators.feature_engine.FeatureEngine`.
        resting: whether orders may rest: then all that the tape does to a book is kept, some 20 bytes a row.
        forecasts: of the instrument.
        doubt: column whose numbers are kept beside; empty: none.

    Raises:
        ValueError: a column is unknown or no number, or the tape has too few rows for a step.
    """
    rows = decision_columns(config, () if forecasts is None else forecasts.columns)
    for key, names in (("columns", columns), ("doubt", (doubt,) if doubt else ())):
        if lacking := next((name for name in names if name not in rows), None):
            raise ValueError(f"{key}: {lacking!r} is no column of numbers of these features and forecasts")
    wanted = [rows[name] for name in (*columns, *((doubt,) if doubt else ()), *_QUOTES)]
    step, levels = as_count("step_ns", step_ns, 1), as_count("depth", depth, 1, 1000)
    rules = make_rules(execution, grid, reports=False)
    engine = RecordingEngine(config, rules, step, levels, full_depth=full_depth, calls=resting,
                             forecasts=forecasts)  # fmt: skip
    seen, first, decided = [], 0, 0
    for item in tape:
        for part in engine.parts(*(item if not isinstance(item, TapeBatch) else (item,))):
            found = engine.recorder
            now = int(found.clock[at.DECIDED])
            taken = found.integer[at.FEATURE_ROW, decided:now] - first
            seen.append(part.value[wanted][:, taken])
            decided, first = now, first + part.rows
    if engine.recorder.clock[at.UNWATCHED]:
        raise ValueError(f"depth: of {levels} levels a side too many keep their size for long; set a lower one")
    return _made(engine, decided, np.concatenate(seen, axis=1) if seen else np.empty((len(wanted), 0)), columns, config,
                 execution, grid)  # fmt: skip


def _made(
    engine: RecordingEngine, n: int, seen: Float64s, columns: Sequence[str], config: FeatureConfig,
    execution: ExecutionConfig, grid: Grid,
) -> Recording:  # fmt: skip
    found, books = engine.recorder, int(engine.recorder.clock[at.BOOKS])
    if n < 2:
        raise ValueError(f"tape: has {n} decisions; a step needs two")
    integer = found.integer[:, :n].copy()
    integer[at.NEXT, books:] = n  # the tape ends before these act
    integer[at.KNOWN, books:] = 0
    holes = np.diff(integer[at.TS], prepend=integer[at.TS, 0]) > config.max_hold_ns
    arrays = {
        "features": seen[: len(columns)].T,
        "ts": integer[at.TS],
        "local_ts": integer[at.LOCAL_TS],
        "row": integer[at.FEATURE_ROW],
        "segment": integer[at.SEGMENT_OF] + np.cumsum(holes),
        "mid": found.value[at.MID_PRICE, :n],
        "quote": (seen[-2] + seen[-1]) / 2.0,
        "spread": seen[-1] - seen[-2],
        "act": integer[at.ACTS],
        "next_decision": integer[at.NEXT],
        "known": integer[at.KNOWN] != 0,
        "price": found.level[:n, :, 0],
        "size": found.level[:n, :, 1],
        "since": found.since[:n],
        "settled": found.settled[:, : found.clock[at.SETTLED]],
        "funding": found.funding[:, : found.clock[at.SETTLED]],
        **({"doubt": seen[-3]} if len(seen) > len(columns) + len(_QUOTES) else {}),
    }
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    for array in arrays.values():
        array.flags.writeable = False
    assert set(arrays) <= {field.name for field in fields(Recording)}
    calls = None
    if found.clock[WANTED]:
        calls = Calls(ended(found.log, found.clock), integer[at.NEXT_CALL].copy(), seen[-2].copy(), seen[-1].copy())
        for array in (calls.after, calls.bid, calls.ask):
            array.flags.writeable = False
    return Recording(tuple(columns), step_ns=int(found.step[0]), execution=execution, grid=grid, calls=calls, **arrays)
