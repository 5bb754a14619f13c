"""Mark prices, funding, open interest and liquidations of Bybit V5 linear.

Exchange documentation, "Ticker" (V5 WebSocket): ``tickers.SYMBOL`` sends a snapshot first and then, up to every 100 ms,
what has changed: a field that is absent or empty is as it was. ``nextFundingTime`` is in ms, ``openInterest`` in base
units, ``cs`` the cross sequence. "All Liquidation": every liquidation, in batches of 500 ms; ``S`` is the side of the
position that was closed (``Buy`` a long one, so the order sold), ``p`` its bankruptcy price.
"""

from typing import Any, Literal

import msgspec

from sources.json_decoder import json_decoder
from sources.messages import NS_PER_MS, DerivativeMessage, Id, Millis, Price, Size
from sources.tape.batch import FUNDING, LIQUIDATION, MARK, OPEN_INTEREST
from sources.tape.bounds import is_price, is_rate, is_size

_REPEAT_MS = 10_000  # what has not changed for so long is told again, so that a reset of the features does not last
_ORDER_SIDES = {"Buy": -1, "Sell": 1}


class _Ticker(msgspec.Struct, gc=False):
    symbol: str
    markPrice: str | None = None
    indexPrice: str | None = None
    fundingRate: str | None = None
    nextFundingTime: str | None = None
    fundingIntervalHour: str | None = None
    openInterest: str | None = None


class _TickerFrame(msgspec.Struct, gc=False):
    type: Literal["snapshot", "delta"]
    ts: Millis
    data: _Ticker
    cs: Id = 0


class _Liquidation(msgspec.Struct, gc=False):
    T: Millis
    s: str
    S: str
    v: Size
    p: Price


class _LiquidationFrame(msgspec.Struct, gc=False):
    data: list[_Liquidation]


class _State:
    """What is known of one symbol's ticker, and when each kind was told last (ms)."""

    def __init__(self) -> None:
        self.fields: dict[str, float] = {}
        self.told: dict[int, int] = {}


# Of each kind the field that it needs, the others, and by which a change is noticed.
_FIELDS = {
    MARK: ("markPrice", "indexPrice"),
    FUNDING: ("fundingRate", "nextFundingTime", "fundingIntervalHour"),
    OPEN_INTEREST: ("openInterest",),
}
_ALL = tuple(field for fields in _FIELDS.values() for field in fields)


class Derivatives:
    """Reads ``tickers`` and ``allLiquidation``; one of a connection, since it remembers what tickers leave out."""

    def __init__(self) -> None:
        self._ticker = json_decoder(_TickerFrame, strict=False)
        self._liquidations = json_decoder(_LiquidationFrame, strict=False)
        self._states: dict[str, _State] = {}

    def ticker(self, receive_ts: int, raw: bytes, check: Any) -> list[DerivativeMessage]:
        """What a ticker's frame changes; ``receive_ts`` in ns, ``check`` as of `Derivatives.liquidations`.

        Raises:
            ValueError: the frame cannot be understood or believed.
        """
        frame = self._ticker.decode(raw)
        check(frame.ts * NS_PER_MS, receive_ts)
        symbol = frame.data.symbol
        changed = {name: _number(name, text) for name in _ALL if (text := getattr(frame.data, name))}
        state = self._states.get(symbol)
        if state is None or frame.type == "snapshot":
            state = self._states[symbol] = _State()
        state.fields |= changed
        out: list[DerivativeMessage] = []
        for kind, names in _FIELDS.items():
            due = frame.ts - state.told.get(kind, -_REPEAT_MS) >= _REPEAT_MS
            if names[0] in state.fields and (due or not changed.keys().isdisjoint(names)):
                state.told[kind] = frame.ts
                row = _row(kind, frame.cs, [state.fields.get(name, 0.0) for name in names])
                out.append(DerivativeMessage("ticker", symbol, kind, frame.ts * NS_PER_MS, receive_ts, *row))
        return out

    def liquidations(self, receive_ts: int, raw: bytes, check: Any) -> list[DerivativeMessage]:
        """The liquidations of a frame.

        Args:
            receive_ts: ns.
            check: raises ValueError for an exchange time that is not believed, both in ns.

        Raises:
            ValueError: the frame cannot be understood or believed.
        """
        out: list[DerivativeMessage] = []
        for d in self._liquidations.decode(raw).data:
            exchange_ts = d.T * NS_PER_MS
            check(exchange_ts, receive_ts)
            if d.S not in _ORDER_SIDES:
                raise ValueError(f"a liquidation of side {d.S!r}")
            if d.v > 0.0:
                row = (0, _ORDER_SIDES[d.S], d.p, d.v)
                out.append(DerivativeMessage("liquidation", d.s, LIQUIDATION, exchange_ts, receive_ts, *row))
        return out


def _row(kind: int, cross: int, values: list[float]) -> tuple[int, int, float, float]:
    """Sequence, side, price and size of a tape row (docs/tape.md, 2.3)."""
    if kind == MARK:
        return cross, 0, values[0], values[1]
    if kind == FUNDING:
        return int(values[1]), 0, values[0], values[2]
    return cross, 0, 0.0, values[0]


def _number(name: str, text: str) -> float:
    value = float(text)
    good = is_price(value) if name == "markPrice" else is_rate(value) if name == "fundingRate" else is_size(value)
    if not good:
        raise ValueError(f"a {name} of {text!r}")
    return value
