"""cryptofeed's own handler of Binance's frames, with its book; only the network is replaced by the capture."""

import asyncio
from collections.abc import Sequence
from typing import Any

from cryptofeed.defines import BINANCE_FUTURES, L2_BOOK
from cryptofeed.exchanges import BinanceFutures
from cryptofeed.symbols import Symbols

from sources.messages import Frame

SYMBOL = "BTC-USDT-PERP"


class _Rest:
    """Answers the request for a snapshot."""

    def __init__(self, snapshot: str) -> None:
        self._snapshot = snapshot

    async def read(self, address: str) -> str:
        """The book of the capture, whatever is asked."""
        return self._snapshot


def follow_book(frames: Sequence[Frame]) -> tuple[int, Any]:
    """Hand over each book frame as its connection would; the number of updates it told of, and the book at the end."""
    updates, book = 0, None

    async def on_book(update: Any, receipt: float) -> None:
        nonlocal updates, book
        updates += 1
        book = update.book

    Symbols.set(BINANCE_FUTURES, {SYMBOL: "BTCUSDT"}, {"instrument_type": {SYMBOL: "perpetual"}})
    feed = BinanceFutures(symbols=[SYMBOL], channels=[L2_BOOK], callbacks={L2_BOOK: on_book})
    feed.http_conn = _Rest(next(raw for _, raw in frames if b'"stream"' not in raw[:20]).decode())

    async def run() -> None:
        for ts, raw in frames:
            if b'"stream"' in raw[:20]:
                await feed.message_handler(raw.decode(), None, ts / 1e9)

    asyncio.run(run())
    return updates, book
