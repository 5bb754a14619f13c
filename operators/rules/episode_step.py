"""The keyed Bytewax operator of episodes: what trading gave in, finished episodes out."""

from collections.abc import Callable, Iterable
from typing import Any

import bytewax.operators as op
from bytewax.operators import KeyedStream, StatefulBatchLogic
from typing_extensions import override

from operators.feature_step import StateKeeper
from operators.row_batch import NO_MORE_ROWS, RowBatch
from operators.rules.episode_state import EPISODE_MARK_BYTES, EpisodeMark
from operators.rules.episodes import EpisodeBuilder
from operators.trade_engine import Traded


class EpisodeLogic(StatefulBatchLogic[tuple[str, Traded], RowBatch, bytes]):
    """The keyed step."""

    def __init__(
        self,
        make_builder: Callable[[], EpisodeBuilder],
        on_error: Callable[[Exception], None],
        keeper: StateKeeper | None = None,
        resume: bytes | None = None,
    ) -> None:
        self._builder = make_builder()
        self._on_error = on_error
        self._keeper = keeper
        self._resume = resume
        self._key = ""  # Bytewax does not tell it: the first batch does, or the state
        self._mark = EpisodeMark()

    @override
    def on_batch(self, values: list[tuple[str, Traded]]) -> tuple[Iterable[RowBatch], bool]:
        """Take each part in turn; after the last of an instrument, `NO_MORE_ROWS` and the end of the state."""
        try:
            self._key = values[0][0]
            self._take_up()
            out: list[RowBatch] = []
            for _, traded in values:
                if traded.equity is NO_MORE_ROWS:
                    return [*out, self._builder.end(), NO_MORE_ROWS], StatefulBatchLogic.DISCARD
                rows = self._builder.process(traded.features, traded.orders, traded.fills, traded.equity)
                equity, episodes, ended = self._mark
                self._mark = EpisodeMark(equity + traded.equity.rows, episodes + rows.rows, ended)
                if rows.rows:
                    out.append(rows)
            return out, StatefulBatchLogic.RETAIN
        except Exception as e:
            self._on_error(e)
            raise

    @override
    def on_eof(self) -> tuple[Iterable[RowBatch], bool]:
        """The end of the tape, where states are kept: once, though a run that is complete may be started again."""
        if self._keeper is None:
            return [], StatefulBatchLogic.RETAIN
        try:
            self._take_up()
            if self._mark.ended:
                return [], StatefulBatchLogic.RETAIN
            rows = self._builder.end()
            self._mark = EpisodeMark(self._mark.equity, self._mark.episodes + rows.rows, 1)
            return [rows] if rows.rows else [], StatefulBatchLogic.RETAIN
        except Exception as e:
            self._on_error(e)
            raise

    @override
    def snapshot(self) -> Any:
        """State for recovery; Bytewax asks for it at the end of every epoch, whether it is of use or not."""
        if self._keeper is None:
            return b""
        if self._resume is not None:
            return self._resume
        try:
            name = self._key.encode()
            parts = [self._mark.pack(), bytes([len(name)]), name, self._builder.snapshot()]
            return self._keeper.keep(f"{self._key} episodes", parts)
        except Exception as e:
            self._on_error(e)
            raise

    def _take_up(self) -> None:
        if self._resume is None or self._keeper is None:
            return
        data, self._resume = self._keeper.load(f"{self._key} episodes", self._resume), None
        self._mark = EpisodeMark.of(data)
        begin = EPISODE_MARK_BYTES + 1
        end = begin + data[begin - 1]
        self._key = data[begin:end].decode()
        self._builder.resume(data[end:])


def find_episodes(
    step_id: str,
    up: KeyedStream[Traded],
    make_builder: Callable[[], EpisodeBuilder],
    *,
    keeper: StateKeeper | None = None,
    on_error: Callable[[Exception], None] = lambda error: None,
) -> KeyedStream[RowBatch]:
    """Episodes of what was traded, keyed by instrument.

    Args:
        make_builder: called once for each instrument.
        keeper: of the states; None: nothing is resumed.
        on_error: called with the exception that stops the step, before it propagates.
    """
    keyed = op.map(f"{step_id}_traded", up, lambda item: (item[0], item))
    return op.stateful_batch(
        step_id, keyed, lambda resume: EpisodeLogic(make_builder, on_error, keeper, resume or None)
    )
