"""Frames of OKX as they are documented, and what is done with those that are not like that."""

import json
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.clock import ClockBound
from sources.instrument import Instrument
from sources.messages import BadFrame, BookMessage, Message, TradeMessage
from sources.multiplier import Multiplier
from sources.tape import batch
from sources.venues.okx_swap.decoder import OkxDecoder, decoder
from tests.venues.okx_swap.frames import (
    ACK,
    BTC,
    ETH,
    HEARTBEAT,
    MULTIPLIERS,
    NOTICE,
    NOW,
    SNAPSHOT,
    TRADE,
    UPDATE,
    edited,
)

MS = 1_000_000


def make() -> OkxDecoder:
    return decoder(MULTIPLIERS)


def one(raw: bytes, of: OkxDecoder | None = None) -> Message:
    (message,) = (of or make()).decode([(NOW, raw)])
    return message


def book(raw: bytes, of: OkxDecoder | None = None) -> BookMessage:
    message = one(raw, of)
    assert isinstance(message, BookMessage), message
    return message


def bad(raw: bytes, of: OkxDecoder | None = None) -> BadFrame:
    message = one(raw, of)
    assert isinstance(message, BadFrame), message
    return message


def test_symbols_name_folders() -> None:
    assert Instrument.parse(f"okx_swap:{BTC}") == ("okx_swap", BTC)


def test_books_are_in_base_currency() -> None:
    m = book(SNAPSHOT)
    assert (m.symbol, m.kind, m.exchange_ts, m.receive_ts) == (BTC, batch.SNAPSHOT, 1597026383085 * MS, NOW)
    assert (m.first, m.final, m.previous) == (123456, 123456, -1)
    assert [c.tolist() for c in m.levels] == [[1, -1, -1], [8476.97, 8476.98, 8477.0], [2.56, 4.15, 0.07]]


def test_updates_and_heartbeats() -> None:
    m = book(UPDATE)
    assert (m.kind, m.final, m.previous) == (batch.DELTA, 123457, 123456)
    assert [c.tolist() for c in m.levels] == [[1, -1, -1], [8476.97, 8476.98, 8477.0], [0.0, 0.003, 0.0]]
    h = book(HEARTBEAT)
    assert (h.kind, h.final, h.previous) == (batch.DELTA, 123457, 123457)
    assert [len(c) for c in h.levels] == [0, 0, 0]


def test_trades() -> None:
    assert one(TRADE) == TradeMessage(BTC, 1630048897897 * MS, NOW, 130639474, 1, 42219.9, 0.03, "130639474")
    sold = one(edited(TRADE, side="sell", sz="0.7"))
    assert isinstance(sold, TradeMessage)
    assert (sold.side, sold.size) == (-1, 0.007)


def test_each_symbol_has_its_own_multiplier() -> None:
    m = book(SNAPSHOT.replace(BTC.encode(), ETH.encode()))
    assert (m.symbol, m.levels.size.tolist()) == (ETH, [25.6, 41.5, 0.7])


@given(
    st.lists(st.tuples(st.integers(1, 10**9), st.integers(0, 10**7)), max_size=30),
    st.sampled_from(["0.01", "0.1", "1", "1000", "0.0001", "0.35", "125"]),
)
def test_levels_are_the_real_numbers_rounded_once(levels: list[tuple[int, int]], multiplier: str) -> None:
    texts = [[f"{p // 100}.{p % 100:02}", f"{s / 100:.2f}", "0", "1"] for p, s in levels]
    texts = [t for t in texts if Fraction(t[0]) > 0]
    m = book(edited(UPDATE, bids=texts, asks=[]), decoder({BTC: Multiplier(Decimal(multiplier))}))
    assert m.levels.price.tolist() == [float(Fraction(p)) for p, *_ in texts]
    assert m.levels.size.tolist() == [float(Fraction(s) * Fraction(multiplier)) for _, s, *_ in texts]


@pytest.mark.parametrize("raw", [SNAPSHOT, UPDATE])
def test_a_book_without_a_multiplier_is_bad(raw: bytes) -> None:
    m = bad(raw, decoder({}))
    assert (m.symbol, m.may_be_book) == (BTC, True)
    assert "no multiplier is known" in m.reason


def test_a_print_without_a_multiplier_is_bad_and_costs_no_book() -> None:
    m = bad(TRADE, decoder({}))
    assert (m.symbol, m.may_be_book) == (BTC, False)


def test_a_multiplier_that_becomes_known_counts_from_then_on() -> None:
    known: dict[str, Multiplier] = {}
    d = decoder(known)
    bad(SNAPSHOT, d)
    known[BTC] = Multiplier(Decimal(1))
    assert book(SNAPSHOT, d).levels.size.tolist() == [256.0, 415.0, 7.0]


def test_another_multiplier_costs_the_book_once() -> None:
    known = {BTC: Multiplier(Decimal("0.01"))}
    d = decoder(known)
    book(SNAPSHOT, d)
    known[BTC] = Multiplier(Decimal("0.1"))
    m = bad(UPDATE, d)
    assert (m.may_be_book, m.reason) == (True, "a contract was 0.01 and is 0.1 now")
    assert book(SNAPSHOT, d).levels.size.tolist() == [25.6, 41.5, 0.7]
    assert book(UPDATE, d).levels.size.tolist() == [0.0, 0.03, 0.0]


@pytest.mark.parametrize("channel", ["books5", "bbo-tbt", "books-l2-tbt", "trades-all", "tickers"])
def test_other_channels_are_ignored(channel: str) -> None:
    d = make()
    assert d.decode([(NOW, UPDATE.replace(b'"books"', b'"%b"' % channel.encode()))]) == []
    assert d.ignored == {channel: 1}


def test_key_order_and_blanks_do_not_matter() -> None:
    frame = json.loads(UPDATE)
    turned = json.dumps(dict(reversed(frame.items()))).encode()
    assert book(turned).levels.size.tolist() == book(UPDATE).levels.size.tolist()


def test_more_fields_of_a_level_do_not_matter() -> None:
    m = book(edited(UPDATE, bids=[["1", "2"], ["3", "4", "0", "1", "new"]], asks=[]))
    assert m.levels.size.tolist() == [0.02, 0.04]


def test_an_announced_end_is_heard_once() -> None:
    d = make()
    assert d.decode([(NOW, NOTICE)]) == []
    assert (d.closing, d.ignored) == (True, {"service upgrade": 1})
    d = make()
    assert d.decode([(NOW, ACK), (NOW, NOTICE.replace(b"64008", b"1"))]) == []
    assert (d.closing, d.ignored) == (False, {"control": 2})


@pytest.mark.parametrize("fields", [
    {"seqId": None}, {"prevSeqId": None}, {"prevSeqId": -2}, {"seqId": -1}, {"ts": None}, {"ts": "x"}, {"ts": "0"},
    {"bids": None}, {"bids": [["1"]]}, {"bids": [["0", "1", "0", "1"]]}, {"bids": [["-1", "1", "0", "1"]]},
    {"bids": [["1", "-1", "0", "1"]]}, {"bids": [["1", "", "0", "1"]]}, {"bids": [["1", 1, "0", "1"]]},
    {"bids": [["nan", "1", "0", "1"]]}, {"bids": [["1", "inf", "0", "1"]]}, {"bids": [["1", "1e99", "0", "1"]]},
    {"ts": str(NOW // MS + 61_000)},
])  # fmt: skip
def test_bad_books_cost_their_book(fields: dict[str, object]) -> None:
    m = bad(edited(UPDATE, **fields))
    assert (m.symbol, m.may_be_book, m.receive_ts) == (BTC, True, NOW)


@pytest.mark.parametrize("fields", [
    {"px": "0"}, {"px": "-1"}, {"px": None}, {"sz": "-1"}, {"sz": ""}, {"side": "both"}, {"side": None},
    {"ts": "0"}, {"tradeId": "x"}, {"instId": ETH}, {"ts": str(NOW // MS + 61_000)},
])  # fmt: skip
def test_bad_prints_cost_no_book(fields: dict[str, object]) -> None:
    m = bad(edited(TRADE, **fields))
    assert (m.symbol, m.may_be_book) == (BTC, False)


def test_a_bad_print_costs_no_other() -> None:
    frame = json.loads(TRADE)
    (model,) = frame["data"]
    frame["data"] = [model, model | {"px": "0"}, model | {"tradeId": "130639475"}]
    messages = make().decode([(NOW, json.dumps(frame).encode())])
    assert [type(m) for m in messages] == [TradeMessage, BadFrame, TradeMessage]


def test_a_print_of_size_zero_is_not_of_the_book() -> None:
    m = one(edited(TRADE, sz="0", px="0"))
    assert isinstance(m, TradeMessage)
    assert m.off_book == "print of size 0"


@pytest.mark.parametrize("raw", [b"", b"x", b"[]x", b"\xff", b"{" * 100_000, b"[" * 100_000, UPDATE[:30], b'"a'])
def test_what_is_no_frame_may_have_been_any_book(raw: bytes) -> None:
    m = bad(raw)
    assert (m.symbol, m.may_be_book) == (None, True)


@pytest.mark.parametrize("raw", [UPDATE, TRADE])
def test_a_frame_that_is_cut_costs_what_it_says_it_is(raw: bytes) -> None:
    begin = raw.index(b"}") + 1
    for cut in range(begin, len(raw)):
        m = bad(raw[:cut])
        assert (m.symbol, m.may_be_book) == (BTC, raw is UPDATE)


@given(st.binary(max_size=40), st.integers(0, 400), st.sampled_from([SNAPSHOT, UPDATE, TRADE, NOTICE]))
def test_no_bytes_raise(junk: bytes, at: int, raw: bytes) -> None:
    d = decoder(MULTIPLIERS, ClockBound())
    for m in d.decode([(NOW, raw[:at] + junk + raw[at:]), (NOW, junk)]):
        assert isinstance(m, BookMessage | TradeMessage | BadFrame)


def test_rest_seeds_no_book() -> None:
    m = make().snapshot(BTC, NOW, SNAPSHOT)
    assert isinstance(m, BadFrame)
    assert (m.symbol, m.may_be_book) == (BTC, True)
