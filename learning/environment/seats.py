"""Agents that quote one instrument, each at a place of its own on one tape."""

from typing import Any, NamedTuple

import numba
import numpy as np

from learning.environment.account import Float32s
from learning.environment.calls import UNTIL
from learning.environment.recording import Recording
from learning.environment.resting import CALL, CHANGE, DECIDES, Player, make_player, quote_many, skip, take_seat
from learning.environment.trading import Bools, Task
from operators import level_blocks
from operators.execution.state import FILL_ROWS, MOST_OPEN, grown, make_rules
from operators.level_blocks import Side, make_book, sides
from operators.packed_arguments import Packed
from sources.tape.batch import Float64s, Int64s

_EVERY = 16  # decisions from one book that is kept to the next


class _Kept(NamedTuple):
    """The book after a decision."""

    call: int
    change: int
    bids: Side
    asks: Side


class Seats:
    """Agents, what a tape did to their exchanges, and how one gets more room."""

    def __init__(self, recording: Recording, task: Task, agents: Int64s) -> None:
        """Args:
        agents: their numbers in the arrays of `step`.

        Raises:
            ValueError: as of `Task`, or the recording has no calls.
        """
        calls = recording.calls
        if calls is None:
            raise ValueError("recording: orders may not rest in it; it needs record(..., resting=True)")
        self._terms = task.terms(recording)
        self._market, _ = task.market(recording)
        self._rules = make_rules(recording.execution, recording.grid, reports=True)
        self._log, self._after, self._quotes = calls.log, calls.after, np.stack([calls.bid, calls.ask])
        self.agents = agents
        self.players = [Packed(make_player()) for _ in agents]
        self._handles = self._stacked()
        self._kept = self._books()

    def begin(self, j: int, row: int, out: Float32s) -> None:
        """The j-th agent begins an episode at a decision; ``out``: its first observation, filled."""
        kept, after = self._kept[row // _EVERY], int(self._after[row])
        player = self.players[j].value
        self._seat(j, player._replace(book=make_book(kept.bids, kept.asks)))
        clock = player.exchange.clock
        clock[CALL], clock[CHANGE] = kept.call, kept.change
        while not skip(self._log, self.players[j].handle, after):
            self._more(j)
        handle = self.players[j].handle
        take_seat(self._log, self._market, self._rules, self._terms, self._quotes, handle, row, after, out)

    def step(self, chosen: Bools, actions: Int64s, out: Float32s, rewards: Float64s, over: Bools) -> None:
        """Let the chosen ones of its agents decide, and go on to their next decisions.

        Args:
            chosen: shape ``(agents of this,)``; the other arrays have all agents.
            out, rewards, over: filled.
        """
        todo = np.where(chosen, DECIDES, 0)
        while True:
            quote_many(
                self._log, self._market, self._rules, self._terms, self._quotes, self._after, self._handles, todo,
                self.agents, actions, out, rewards, over,
            )  # fmt: skip
            if not todo.any():
                return
            for j in np.flatnonzero(todo):
                self._more(int(j))

    def fills(self, j: int) -> Float64s:
        """What was filled in the newest step of the j-th agent: price, size with its sign, fee, exchange time; shape
        ``(4, fills)``."""
        exchange = self.players[j].value.exchange
        n, rows = int(exchange.clock[FILL_ROWS]), exchange.rows
        signed = rows.fill_code[0, :n] * rows.fill_value[1, :n]
        return np.stack([rows.fill_value[0, :n], signed, rows.fill_value[2, :n], rows.fill_integer[0, :n]])

    def _books(self) -> list[_Kept]:
        """The book after every so many decisions."""
        self._seat(0, self.players[0].value)
        found = []
        for after in self._after[::_EVERY]:
            while not skip(self._log, self.players[0].handle, int(after)):
                self._more(0)
            bids, asks = sides(self.players[0].value.book)
            found.append(_Kept(int(after), int(self._log.call[UNTIL, after - 1]), bids, asks))
        return found

    def _more(self, j: int) -> None:
        player = self.players[j].value
        levels = int(player.book.levels.sum())
        self._seat(j, Player(grown(player.exchange, levels + 2 * MOST_OPEN + 3, 0), level_blocks.grown(player.book)))

    def _seat(self, j: int, player: Player) -> None:
        self.players[j] = Packed(player)
        self._handles[j] = self.players[j].handle

    def _stacked(self) -> Any:
        """What a kernel is handed for all of them."""
        handles = [player.handle for player in self.players]
        return handles if numba.config.DISABLE_JIT else np.stack(handles)
