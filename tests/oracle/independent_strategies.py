"""What a strategy is shown and how its orders are numbered (docs/strategies.md), for `independent_backtest`."""

import math
from dataclasses import dataclass, field
from typing import Any

from tests.oracle.independent_exchange import Exchange
from tests.oracle.independent_orders import Request, on_grid

DONE = ("rejected", "filled", "cancelled", "expired")


@dataclass(frozen=True)
class Working:
    order_id: int
    side: int
    price: float
    leaves: float
    acknowledged: bool


@dataclass(frozen=True)
class View:
    columns: list[float]
    position: float
    working: list[Working]
    tick: float
    lot: float
    ts: int
    local_ts: int


@dataclass
class Desk:
    """Takes a strategy's orders; numbers them from 1."""

    numbered: int = 0
    sent: list[Request] = field(default_factory=list)

    def limit(self, side: int, price: float, size: float, tif: str = "gtc") -> None:
        self.numbered += 1
        self.sent.append(Request("new", self.numbered, side, "limit", tif, price, size))

    def market(self, side: int, size: float) -> None:
        self.numbered += 1
        self.sent.append(Request("new", self.numbered, side, "market", None, math.nan, size))

    def cancel(self, order_id: int) -> None:
        self.sent.append(Request("cancel", order_id))

    def amend(self, order_id: int, price: float, size: float) -> None:
        self.sent.append(Request("amend", order_id, price=price, size=size))


@dataclass
class PythonStrategy:
    """An object with ``decide(view, orders)``; it sees reports from their local time on."""

    strategy: Any
    desk: Desk = field(default_factory=Desk)
    working: dict[int, Working] = field(default_factory=dict)
    position: int = 0
    seen: int = 0  # reports

    def decide(self, ts: int, local: int, exchange: Exchange) -> list[Request]:
        rules = exchange.rules
        while self.seen < len(exchange.orders) and exchange.orders[self.seen]["local_ts"] <= local:
            self.take_in(exchange.orders[self.seen], exchange)
            self.seen += 1
        best = {"bid_price": exchange.quote[0], "ask_price": exchange.quote[1], "mid": exchange.mid}
        columns = [best[name] for name in self.strategy.columns]
        position = rules.size(self.position)
        view = View(columns, position, list(self.working.values()), rules.price(1), rules.size(1), ts, local)
        self.strategy.decide(view, self.desk)
        sent, self.desk.sent = self.desk.sent, []
        for request in sent:
            if request.action == "new":
                ticks = on_grid(request.price, rules.tick)
                price = request.price if ticks is None else rules.price(ticks)
                self.working[request.order_id] = Working(request.order_id, request.side, price, request.size, False)
        return sent

    def take_in(self, report: dict[str, Any], exchange: Exchange) -> None:
        number = report["order_id"]
        if report["kind"] in ("cancel", "amend"):  # a rejected one: the order is what it was
            return
        if report["status"] in ("part", "filled"):
            before = self.working[number].leaves
            self.position += report["side"] * round((before - report["leaves"]) / exchange.rules.size(1))
        if report["status"] in DONE and report["reason"] != "amend":
            self.working.pop(number, None)
            return
        self.working[number] = Working(number, report["side"], report["price"], report["leaves"], True)
