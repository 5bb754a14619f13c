"""The keyed Bytewax operator of episodes: what trading gave in, finished episodes out."""

from collections.abc import Callable, Iterable

import bytewax.operators as op
from bytewax.operators import KeyedStream, StatefulBatchLogic
from typing_extensions import override

from operators.keyed_step import KeyedStep
from operators.row_batch import NO_MORE_ROWS, RowBatch
from operators.rules.episodes import EpisodeBuilder
from operators.trade_engine import Traded


class EpisodeLogic(KeyedStep[Traded]):
    """The keyed step."""

    def __init__(self, make_builder: Callable[[], EpisodeBuilder], on_error: Callable[[Exception], None]) -> None:
        super().__init__(on_error)
        self._builder = make_builder()

    @override
    def take(self, values: list[Traded]) -> tuple[Iterable[RowBatch], bool]:
        """Take each part in turn; after the last of an instrument, `NO_MORE_ROWS` and the end of the state."""
        out: list[RowBatch] = []
        for traded in values:
            if traded.equity is NO_MORE_ROWS:
                return [*out, self._builder.end(), NO_MORE_ROWS], StatefulBatchLogic.DISCARD
            rows = self._builder.process(traded.features, traded.orders, traded.fills, traded.equity)
            if rows.rows:
                out.append(rows)
        return out, StatefulBatchLogic.RETAIN


def find_episodes(
    step_id: str,
    up: KeyedStream[Traded],
    make_builder: Callable[[], EpisodeBuilder],
    *,
    on_error: Callable[[Exception], None] = lambda error: None,
) -> KeyedStream[RowBatch]:
    """Episodes of what was traded, keyed by instrument.

    Args:
        make_builder: called once for each instrument.
        on_error: called with the exception that stops the step, before it propagates.
    """
    return op.stateful_batch(step_id, up, lambda resume: EpisodeLogic(make_builder, on_error))
