"""A strategy without sense that uses all it is shown and may send; the program and the oracle both run it."""

from typing import Any


class Roulette:
    """Draws what to do from a count of its own and from everything in the view: a wrong view is seen at once."""

    columns = ("bid_price", "ask_price", "mid")

    def __init__(self, seed: int = 1) -> None:
        self.state = seed

    def draw(self, n: int) -> int:
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % n

    def decide(self, view: Any, orders: Any) -> None:
        bid, ask, _ = view.columns
        shown = [view.ts, view.local_ts, round(view.position / view.lot)]
        for order in view.working:
            shown += [order.order_id, order.side, round(order.leaves / view.lot), round(order.price / view.tick)
                      if order.price > 0 else 0, int(order.acknowledged)]  # fmt: skip
        for value in shown:
            self.state = (self.state * 31 + value) % 2**64
        for order in view.working:
            what = self.draw(8)
            if what == 0:
                orders.cancel(order.order_id)
            elif what == 1 and order.price > 0:
                orders.amend(order.order_id, order.price, max(1, round(order.leaves / view.lot) // 2) * view.lot)
            elif what == 2:
                best = bid if order.side > 0 else ask
                lots = self.draw(6)
                orders.amend(order.order_id, best, lots * view.lot if lots else float("nan"))
        if self.draw(3) == 0 and len(view.working) < 8:
            side = 1 - 2 * self.draw(2)
            if round(view.position / view.lot) * side > 20:
                side = -side
            size = (1 + self.draw(6)) * view.lot
            if self.draw(6) == 0:
                orders.market(side, size)
            else:
                best = bid if side > 0 else ask
                ticks = round(best / view.tick) + side * (self.draw(5) - 3)
                orders.limit(side, ticks * view.tick, size, tif=("gtc", "gtx", "ioc")[self.draw(3)])
