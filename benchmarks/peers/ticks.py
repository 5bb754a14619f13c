"""Bytewax's own operators, one item a tick: what a dataflow is when nothing is sent in columns."""

from collections.abc import Callable, Sequence
from typing import Any

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, TestingSource, run_main

from benchmarks.peers.plain import PlainFeatures, Row, Tick
from operators.config import FeatureConfig

AT_ONCE = 1000  # ticks that the source hands over in one go, which favours this peer


def _run(ticks: Sequence[Tick], mapper: Callable[[Any, Tick], tuple[Any, Any]]) -> list[Any]:
    out: list[Any] = []
    flow = Dataflow("ticks")
    stream = op.input("ticks", flow, TestingSource(ticks, batch_size=AT_ONCE))
    rows = op.stateful_map("state", op.key_on("key", stream, lambda tick: "binance_futures:BTCUSDT"), mapper)
    op.output("out", op.flat_map("rows", rows, lambda item: item[1] or ()), TestingSink(out))
    run_main(flow)
    return out


def nothing(ticks: Sequence[Tick]) -> list[Any]:
    """A counter for a state: what passing the ticks alone costs."""
    return _run(ticks, lambda n, tick: ((n or 0) + 1, None))


def plain_features(ticks: Sequence[Tick], config: FeatureConfig) -> list[Row]:
    """The plain-Python features for a state."""

    def step(state: PlainFeatures | None, tick: Tick) -> tuple[PlainFeatures, list[Row]]:
        state = state or PlainFeatures(config)
        return state, state.process((tick,))

    return _run(ticks, step)
