"""The order book as two dicts, replayed row by row (docs/tape.md, 2; docs/features.md, 4.1)."""

import math
from dataclasses import dataclass

from sources.tape.batch import DELTA, RESET, SNAPSHOT, TapeBatch

TOP = 20

Level = tuple[float, float]  # price, size


@dataclass(frozen=True)
class BookView:
    """The book after a message: levels best first, and whether its best 20 lie where the last snapshot looked."""

    bids: list[Level]
    asks: list[Level]
    covered: bool

    @property
    def is_update(self) -> bool:
        """Both sides exist and the book is neither crossed nor locked."""
        return bool(self.bids) and bool(self.asks) and self.bids[0][0] < self.asks[0][0]


def message_ends(batch: TapeBatch) -> dict[int, BookView]:
    """The book after each row that closes a `snapshot` or `delta` message, by the row's index in the batch."""
    bids: dict[float, float] = {}
    asks: dict[float, float] = {}
    snapshot_prices: list[float] = []
    unknown = unknown_deltas(batch)
    views: dict[int, BookView] = {}
    for i in range(batch.rows):
        kind = int(batch.kind[i])
        if kind == RESET:
            bids, asks, snapshot_prices = {}, {}, []
        elif kind in (SNAPSHOT, DELTA) and i not in unknown:
            if kind == SNAPSHOT:
                if i == 0 or batch.kind[i - 1] != SNAPSHOT or batch.last[i - 1]:  # a snapshot message begins
                    bids, asks, snapshot_prices = {}, {}, []
                snapshot_prices.append(float(batch.price[i]))
            side = bids if batch.side[i] > 0 else asks
            if batch.size[i] == 0:
                side.pop(float(batch.price[i]), None)
            else:
                side[float(batch.price[i])] = float(batch.size[i])
            if batch.last[i]:
                best_bids, best_asks = sorted(bids.items(), reverse=True), sorted(asks.items())
                views[i] = BookView(best_bids, best_asks, covers(snapshot_prices, best_bids, best_asks))
    return views


def unknown_deltas(batch: TapeBatch) -> set[int]:
    """Indices of `delta` rows that belong to no book.

    "the book is unknown until the next snapshot" (docs/tape.md, 2.3): at a tape's start, after a `reset`, and while a
    snapshot, which replaces the whole book, has not come to its last row.
    """
    unknown: set[int] = set()
    known = False
    for i, (kind, last) in enumerate(zip(batch.kind.tolist(), batch.last.tolist(), strict=True)):
        if kind in (RESET, SNAPSHOT):
            known = kind == SNAPSHOT and last
        elif kind == DELTA and not known:
            unknown.add(i)
    return unknown


def covers(snapshot_prices: list[float], bids: list[Level], asks: list[Level]) -> bool:
    """Whether the best 20 levels of both sides lie inside the price range of the last snapshot message."""
    if not snapshot_prices:
        return False
    low, high = min(snapshot_prices), max(snapshot_prices)
    return all(low <= price <= high for price, _ in bids[:TOP] + asks[:TOP])


def top(bids: list[Level], asks: list[Level]) -> dict[str, float]:
    """The `books` row of a book: 20 levels a side, NaN where there is none (docs/features.md, 4.9)."""
    row: dict[str, float] = {}
    for side, levels in (("bid", bids), ("ask", asks)):
        padded = levels[:TOP] + [(math.nan, math.nan)] * (TOP - len(levels))
        row |= {f"{side}_price_{m}": price for m, (price, _) in enumerate(padded)}
        row |= {f"{side}_size_{m}": size for m, (_, size) in enumerate(padded)}
    return row


def mid(bids: list[Level], asks: list[Level]) -> float:
    return (bids[0][0] + asks[0][0]) / 2


def depth_imbalance(bids: list[Level], asks: list[Level], depth: int) -> float:
    return total([size for _, size in bids[:depth]]) - total([size for _, size in asks[:depth]])


def vw_ofi(bids: list[Level], asks: list[Level]) -> float:
    centre = mid(bids, asks)

    def weighted(level: Level) -> float:
        price, size = level
        return 1 / (1 + 100 * abs(price - centre) / centre) * size

    return total([weighted(b) for b in bids[:TOP]]) - total([weighted(a) for a in asks[:TOP]])


def total(terms: list[float]) -> float:
    """Float sum over levels, from the best one on."""
    result = 0.0
    for term in terms:  # not `sum`: newer Pythons compensate it
        result += term
    return result


def state(bids: list[Level], asks: list[Level], depths: tuple[int, ...]) -> dict[str, float]:
    """The columns of docs/features.md, 4.3, in its order."""
    (pb, qb), (pa, qa) = bids[0], asks[0]
    return {
        "bid_price": pb,
        "bid_size": qb,
        "ask_price": pa,
        "ask_size": qa,
        "mid": mid(bids, asks),
        "spread": pa - pb,
        "microprice": (pb * qa + pa * qb) / (qb + qa),
        **{f"depth_imbalance_{label(d)}": depth_imbalance(bids, asks, d) for d in depths},
        "vw_ofi": vw_ofi(bids, asks),
    }


def label(depth: int) -> str:
    """`l0` labels the best level alone."""
    return "l0" if depth == 1 else f"l{depth}"
