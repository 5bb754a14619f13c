"""Readies compiled kernels, and says so when that takes a while: once per machine and version."""

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from dataflows.runtime.exit_codes import say
from operators.config import FeatureConfig
from operators.feature_engine import FeatureEngine
from operators.jit import CACHE as OPERATORS
from sources.jit import KernelCache
from sources.kernel_files import warn_once
from sources.tape.batch import SNAPSHOT, TapeBatch, tape_batch

if TYPE_CHECKING:
    from operators.trade_engine import TradeEngine


def announce(cache: KernelCache, kernel: str, seconds: int, tell: Callable[[str], None] = say) -> None:
    """Tell, on standard error by default, that ``kernel`` will be compiled now, unless it has been on this machine."""
    if cache.holds(kernel):
        return
    reason = cache.obstacle()
    often = "once" if reason is None else f"in every run (compiled kernels cannot be kept: {reason})"
    tell(f"compiling for this machine, {often}; about {seconds} s …")
    if reason is not None:
        warn_once(None)  # the reason has been told


def _snapshots(rows: int) -> TapeBatch:
    """Tape rows that compile whatever takes some."""
    row: dict[str, float] = {"ordinal": 0, "exchange_ts": 0, "receive_ts": 0, "sequence": 0, "last": True}
    row |= {"kind": SNAPSHOT, "side": 1, "price": 1.0, "size": 1.0}
    return tape_batch(**{name: [value] * rows for name, value in row.items()})


def ready_features(tell: Callable[[str], None] = say, *, gil_rows: int = 0) -> None:
    """Compile the kernels of the features before the first tape row comes; tells of it if that takes a while.

    Args:
        gil_rows: of the engines that will be made (`FeatureEngine`).
    """
    if OPERATORS.holds("tape_loop.run_packed") and gil_rows:
        announce(OPERATORS, "tape_loop.run_packed_short", 5, tell)
    else:
        announce(OPERATORS, "tape_loop.run_packed", 30, tell)
    for rows in {1, gil_rows + 1}:
        FeatureEngine(FeatureConfig(), gil_rows=gil_rows).process(_snapshots(rows))


def ready_trading(tell: Callable[[str], None] = say, engine: "TradeEngine | None" = None) -> None:
    """As `ready_features`, for the loop with the simulated exchange in it.

    Args:
        engine: has the strategy that is to be compiled as well; of no use afterwards.
    """
    from operators.execution.grid import Grid  # a replay needs none of these
    from operators.execution.state import ExecutionConfig
    from operators.trade_engine import TradeEngine

    announce(OPERATORS, "loop.trade_packed", 45, tell)
    engine = engine or TradeEngine(FeatureConfig(), ExecutionConfig(), Grid(Fraction(1), Fraction(1)))
    for _ in engine.trade(_snapshots(1)):
        pass


def ready_inspection(tell: Callable[[str], None] = say) -> None:
    """Compile the kernels of an inspection; tells of it if that takes a while."""
    from operators.inspection_engine import InspectionConfig, InspectionEngine  # a replay needs none of it

    announce(OPERATORS, "inspection.run", 10, tell)
    engine = InspectionEngine(InspectionConfig())
    engine.process(_snapshots(1))
    engine.finish()


def ready_labels(tell: Callable[[str], None] = say) -> None:
    """Compile the kernels of the labels; tells of it if that takes a while."""
    from operators.labels.config import LabelConfig  # a replay needs none of it
    from operators.labels.engine import Labeller, LabelRows
    from operators.labels.jit import CACHE as LABELS

    announce(LABELS, "window.take", 5, tell)
    one = np.ones(1)
    row = LabelRows(np.zeros(1, np.int64), one, one, one, one, np.ones(1, np.bool_))
    labeller = Labeller(LabelConfig())
    labeller.add(row)
    labeller.end_segment()
