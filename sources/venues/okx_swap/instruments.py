"""The perpetual swaps of OKX that are settled in USDT.

Exchange documentation, "Get instruments" (OKX API v5): ``GET /api/v5/public/instruments?instType=SWAP``, 20 requests
in 2 s and address. ``ctType`` is ``linear`` or ``inverse``; one contract is ``ctVal`` × ``ctMult`` of ``ctValCcy``;
``tickSz`` is the tick size, ``lotSz`` and ``minSz`` are lot and least size in contracts; ``state`` ``live`` means that
it trades.
"""

from decimal import Decimal, DecimalException
from typing import NamedTuple

import msgspec

from sources.json_decoder import json_decoder
from sources.live.instruments import MISSING, Listing, entries, listing, whole
from sources.live.rest import Rest, RestError
from sources.live.words import Unknown, Words
from sources.multiplier import Multiplier

_TYPES = Words("ctType", frozenset(("linear",)), frozenset(("inverse",)))
_COINS = Words("settleCcy", frozenset(("USDT",)), frozenset(("USDC", "USDG", "USD", "EUR")))
_STATES = Words("state", frozenset(("live",)), frozenset(("suspend", "rebase", "post_only", "preopen", "test")))


class _Instrument(msgspec.Struct):
    instId: str
    tickSz: str
    lotSz: str = ""
    minSz: str = ""
    ctVal: str = MISSING
    ctMult: str = MISSING
    ctValCcy: str = MISSING
    ctType: str = MISSING
    settleCcy: str = MISSING
    state: str = MISSING


class _Reply(msgspec.Struct):
    code: str
    msg: str = ""
    data: list[msgspec.Raw] = []


class Listed(NamedTuple):
    """What the list of swaps says."""

    listings: list[Listing]
    refused: dict[str, str]  # by symbol, why a swap that is listed is not followed


async def instruments(rest: Rest, unknown: Unknown) -> Listed:
    """Swaps that are linear, settled in USDT and trading, with their multipliers.

    Raises:
        RestError: no reply, or one that cannot be understood.
    """
    await rest.reserve(1)
    body = await rest.get("/api/v5/public/instruments", {"instType": "SWAP"})
    try:
        reply = json_decoder(_Reply).decode(body)
        if reply.code != "0":
            raise ValueError(f"code {reply.code} {reply.msg}")
    except ValueError as e:
        raise RestError(f"{rest.url}: instruments cannot be read: {e}") from e
    out = Listed([], {})
    for s in entries(reply.data, _Instrument, unknown):
        if not unknown.wants(_TYPES, s.ctType):
            out.refused[s.instId] = f"a contract of type {s.ctType}, whose sizes are not in the base currency"
        elif not unknown.wants(_COINS, s.settleCcy):
            out.refused[s.instId] = f"settled in {s.settleCcy}, not in USDT"
        elif not unknown.wants(_STATES, s.state):
            out.refused[s.instId] = f"not trading now: {s.state}"
        elif (multiplier := _multiplier(s, unknown)) is None:
            out.refused[s.instId] = "a contract whose size in base currency is not known"
        else:
            found = listing("okx_swap", s.instId, s.tickSz, unknown, s.lotSz, s.minSz)
            out.listings.extend(entry._replace(multiplier=multiplier.value) for entry in found)
    return Listed(whole(rest, "instruments", out.listings, unknown), out.refused)


def _multiplier(s: _Instrument, unknown: Unknown) -> Multiplier | None:
    """The contract's multiplier; None, and counted, if it cannot be one of the base currency."""
    base = s.instId.partition("-")[0]
    if s.ctValCcy != base:
        unknown.add("ctValCcy that is not the base currency", f"{s.ctValCcy} of {s.instId}")
        return None
    try:
        return Multiplier(Decimal(s.ctVal) * Decimal(s.ctMult))
    except (ValueError, DecimalException):
        unknown.add("ctVal and ctMult", f"{s.ctVal} and {s.ctMult}")
        return None
