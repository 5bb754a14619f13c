"""A backtest around `independent_exchange`: clocks, when orders act, when there is a feature row, who decides.

From docs/execution.md, 1 and 2, and docs/features.md, 4.1 and 4.2.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol

from sources.tape.batch import FUNDING, MARK, RESET, is_derivative
from tests.oracle.independent_exchange import Exchange, messages
from tests.oracle.independent_orders import Request, Rules, TapeRow


class Decider(Protocol):
    """Decides whenever a feature row is emitted."""

    def decide(self, ts: int, local: int, exchange: Exchange) -> list[Request]: ...


@dataclass
class Backtest:
    rules: Rules
    sampling: int = 100_000_000  # ns; 0: `update`
    max_hold: int = 60_000_000_000  # ns
    decider: Decider | None = None
    waiting: list[tuple[int, Request]] = field(
        default_factory=list
    )  # (act time, order), in the order in which they act
    equity: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.exchange = Exchange(self.rules)
        self.clock: int | None = None
        self.offset = 0
        self.local = 0
        self.grid: int | None = None  # time of the next feature row on the grid
        self.mark: float | None = None
        self.funding: tuple[int, float] | None = None  # when, and the rate
        self.settled = 0  # the time of the last funding

    def schedule(self, decided: list[tuple[int, Request]]) -> None:
        """Orders with the local times at which they are decided, in any order."""
        self.waiting += [(local + self.rules.entry, request) for local, request in decided]
        self.waiting.sort(key=lambda waits: waits[0])  # stable: those of one time as they came

    def run(self, rows: list[TapeRow]) -> "Backtest":
        for row, begins in messages(rows):
            if row.kind == RESET:
                self.reset(row)
            elif is_derivative(row.kind):
                self.derivative(row)
            else:
                self.row(row, begins)
        return self

    def reset(self, row: TapeRow) -> None:
        if self.clock is not None:
            self.exchange.reset(self.clock)
        self.clock, self.offset, self.grid = None, 0, None
        if not self.rules.one_clock:
            self.local = max(self.local, row.receive_ts)

    def row(self, row: TapeRow, begins: bool) -> None:
        clock = row.exchange_ts if self.clock is None else max(self.clock, row.exchange_ts)
        if self.clock is not None and clock - self.clock > self.max_hold:
            self.grid = None
        self.clock = clock
        self.offset = max(self.offset, row.exchange_ts - row.receive_ts)
        self.local = max(self.local, clock if self.rules.one_clock else row.receive_ts + self.offset)
        self.settle(clock)
        self.before(clock, may_act=begins)
        if self.exchange.row(clock, row, begins):
            if self.sampling == 0:
                self.sample(clock)
            elif self.grid is None:
                self.grid = -(-clock // self.sampling) * self.sampling

    def derivative(self, row: TapeRow) -> None:
        """Rows beside the market: no clock, no order and no feature row heeds them."""
        if row.kind == MARK:
            self.mark = row.price
        elif row.kind == FUNDING:
            at = row.sequence * 1_000_000
            if at > max(self.settled, self.clock or 0):
                self.funding = at, row.price

    def settle(self, clock: int) -> None:
        if self.funding is not None and clock >= self.funding[0]:
            self.settled, rate = self.funding
            self.funding = None
            account = self.exchange.account
            mark = self.exchange.mid if self.mark is None else self.mark
            account.cash -= self.rules.size(account.position) * mark * rate

    def before(self, clock: int, may_act: bool) -> None:
        """Orders that act and feature rows that stand before a row which brings the clock to ``clock``."""
        while True:
            act = self.waiting[0][0] if self.waiting and may_act and self.waiting[0][0] < clock else None
            grid = self.grid if self.grid is not None and self.grid < clock else None
            if act is not None and (grid is None or act <= grid):
                self.exchange.act(*self.waiting.pop(0))
            elif grid is not None:
                self.sample(grid)
                self.grid = grid + self.sampling
            else:
                return

    def sample(self, ts: int) -> None:
        self.equity.append(self.exchange.equity(ts))
        if self.decider is not None:
            self.schedule([(self.local, request) for request in self.decider.decide(ts, self.local, self.exchange)])
