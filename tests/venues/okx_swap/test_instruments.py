"""The list of swaps: which are followed, and with what multiplier."""

import asyncio
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

import pytest

from sources.clock import ClockBound
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.live.instruments import Listing, check
from sources.live.rest import Rest, RestError
from sources.live.words import Unknown
from sources.messages import BookMessage
from sources.venues.okx_swap.adapter import OkxSwap
from sources.venues.okx_swap.config import OkxSwapConfig
from tests.live.rig import Heard
from tests.venues.okx_swap.frames import NOW, SNAPSHOT

# "Get instruments": an entry, with the fields that are read and some that are not.
BTC = {"instType": "SWAP", "instId": "BTC-USDT-SWAP", "instFamily": "BTC-USDT", "uly": "BTC-USDT", "baseCcy": "",
       "quoteCcy": "", "settleCcy": "USDT", "ctVal": "0.01", "ctMult": "1", "ctValCcy": "BTC", "ctType": "linear",
       "tickSz": "0.1", "lotSz": "0.01", "minSz": "0.01", "state": "live", "ruleType": "normal"}  # fmt: skip


class Reply:
    """A `Rest` that answers with one body."""

    url = "http://exchange"

    def __init__(self, body: object) -> None:
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.asked: list[tuple[str, Mapping[str, str]]] = []

    async def reserve(self, weight: int, priority: int = 0) -> None:
        """At once."""

    async def get(self, path: str, query: Mapping[str, str]) -> bytes:
        """The body."""
        self.asked.append((path, query))
        return self.body


def ask(adapter: OkxSwap, body: object, heard: Heard | None = None) -> list[Listing]:
    unknown = Unknown("okx_swap", heard or Heard())
    return asyncio.run(adapter.instruments(cast(Rest, Reply(body)), unknown))


def swaps(*edits: dict[str, Any]) -> dict[str, Any]:
    return {"code": "0", "msg": "", "data": [BTC | edit for edit in edits]}


def test_swaps_with_their_multipliers() -> None:
    eth = {"instId": "ETH-USDT-SWAP", "ctVal": "0.1", "ctMult": "10", "ctValCcy": "ETH", "tickSz": "0.01"}
    sats = {"instId": "SATS-USDT-SWAP", "ctVal": "10000000", "ctValCcy": "SATS", "tickSz": "0.00000000001"}
    listed = ask(OkxSwap(OkxSwapConfig()), swaps({}, eth, sats))
    assert [(str(s.instrument), s.tick_size, s.multiplier) for s in listed] == [
        ("okx_swap:BTC-USDT-SWAP", "0.1", Decimal("0.01")),
        ("okx_swap:ETH-USDT-SWAP", "0.01", Decimal(1)),
        ("okx_swap:SATS-USDT-SWAP", "0.00000000001", Decimal(10_000_000)),
    ]


def test_the_list_is_asked_for_as_documented() -> None:
    reply = Reply(swaps({}))
    asyncio.run(OkxSwap(OkxSwapConfig()).instruments(cast(Rest, reply), Unknown("okx_swap", Heard())))
    assert reply.asked == [("/api/v5/public/instruments", {"instType": "SWAP"})]


def test_decoders_are_given_the_multipliers_of_the_newest_list() -> None:
    adapter = OkxSwap(OkxSwapConfig())
    decoder = adapter.decoder(ClockBound())
    for value, sizes in (("0.01", [2.56, 4.15, 0.07]), ("0.1", [25.6, 41.5, 0.7])):
        ask(adapter, swaps({"ctVal": value}))
        (book,) = decoder.decode([(NOW, SNAPSHOT)])
        assert isinstance(book, BookMessage)
        assert book.levels.size.tolist() == sizes


@pytest.mark.parametrize(("edit", "reason"), [
    ({"instId": "BTC-USD-SWAP", "ctType": "inverse", "settleCcy": "BTC", "ctVal": "100", "ctValCcy": "USD"},
     "symbols: 'okx_swap:BTC-USD-SWAP' is a contract of type inverse, whose sizes are not in the base currency"),
    ({"instId": "BTC-USDC-SWAP", "settleCcy": "USDC"}, "symbols: 'okx_swap:BTC-USDC-SWAP' is settled in USDC"),
    ({"instId": "NEW-USDT-SWAP", "ctValCcy": "NEW", "state": "preopen"}, "is not trading now: preopen"),
    ({"instId": "ODD-USDT-SWAP", "ctValCcy": "USDT"}, "size in base currency is not known"),
    ({"instId": "ODD-USDT-SWAP", "ctValCcy": "ODD", "ctVal": ""}, "size in base currency is not known"),
])  # fmt: skip
def test_other_contracts_are_refused_with_a_reason(edit: dict[str, str], reason: str) -> None:
    adapter = OkxSwap(OkxSwapConfig())
    listed = ask(adapter, swaps({}, edit))
    assert [s.instrument.symbol for s in listed] == ["BTC-USDT-SWAP"]
    wanted = Instrument("okx_swap", edit["instId"])
    with pytest.raises(TickwaxError) as refused:
        check([wanted], listed, adapter.refusal)
    assert reason in str(refused.value)


def test_what_the_list_does_not_have_is_unknown() -> None:
    adapter = OkxSwap(OkxSwapConfig())
    listed = ask(adapter, swaps({}))
    with pytest.raises(TickwaxError, match=r"'okx_swap:BTCUSDT' is unknown .* did you mean BTC-USDT-SWAP\?"):
        check([Instrument("okx_swap", "BTCUSDT")], listed, adapter.refusal)


@pytest.mark.parametrize(("edit", "field"), [
    ({"ctVal": "0"}, "ctVal and ctMult"), ({"ctVal": ""}, "ctVal and ctMult"), ({"ctMult": "x"}, "ctVal and ctMult"),
    ({"ctVal": "-1"}, "ctVal and ctMult"), ({"ctVal": "NaN"}, "ctVal and ctMult"),
    ({"ctValCcy": "USDT"}, "ctValCcy that is not the base currency"),
    ({"ctType": "quanto"}, "ctType"), ({"settleCcy": "XUSD"}, "settleCcy"), ({"state": "dreaming"}, "state"),
    ({"tickSz": 1}, "an entry"), ({"instId": "BTC/USDT", "ctValCcy": "BTC/USDT"}, "symbol"),
])  # fmt: skip
def test_what_is_not_understood_is_left_out_and_told(edit: dict[str, Any], field: str) -> None:
    heard = Heard()
    good = {"instId": "ETH-USDT-SWAP", "ctValCcy": "ETH"}
    assert [s.instrument.symbol for s in ask(OkxSwap(OkxSwapConfig()), swaps(edit, good), heard)] == ["ETH-USDT-SWAP"]
    assert [event[:3] for event in heard.events] == [("unknown", "okx_swap", field)]


@pytest.mark.parametrize("body", [
    {"code": "50011", "msg": "Too Many Requests", "data": []}, b"{", b"<html>", {"code": "0", "data": 1},
    {"code": "0", "msg": "", "data": [{"instId": "BTC-USDT-SWAP"}]},
])  # fmt: skip
def test_replies_that_say_nothing(body: object) -> None:
    with pytest.raises(RestError, match="instruments"):
        ask(OkxSwap(OkxSwapConfig()), body)
