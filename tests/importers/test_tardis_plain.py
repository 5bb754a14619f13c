"""The pass over text in which nothing is unusual, against the reading of the same text column by column."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.importers.stats import ImportStats
from sources.importers.tardis_block import COMMON, Block
from sources.importers.tardis_csv import BOOK_COLUMNS, TRADE_COLUMNS, _Reader
from sources.importers.tardis_instruments import Instruments

T = 1_700_000_000_000_000
LEVELS = [f"{side}[{n}].{what}" for n in range(2) for side in ("asks", "bids") for what in ("price", "amount")]
HEADERS: dict[str, tuple[str, ...]] = {"book": BOOK_COLUMNS, "trades": TRADE_COLUMNS, "wide": (*COMMON, *LEVELS)}
NAMES = st.sampled_from(["binance-futures,BTCUSDT", "binance-futures,BTCUSD", "bybit,BTCUSDT", ",", "exchange,symbol"])
TIMES = st.integers(0, 3).map(lambda t: f"{T + t},{T + 1}")
NUMBERS = st.sampled_from(["1", "60000.5", "0.001", "1e3", "0", "0.0", "123456789012345678.5"])
ODD = st.sampled_from(["", "-1", "x", "1.", "NaN", "true", str(T), "1e400", "00", "9" * 19, "1,2", "\r", "é"])


@st.composite
def texts(draw: st.DrawFn, kind: str) -> str:
    """Lines, mostly as they always are; sometimes a field of one is odd, or a line is empty."""

    def field() -> st.SearchStrategy[str]:
        return st.one_of(st.just("")) if kind == "wide" and draw(st.integers(0, 9)) == 0 else NUMBERS

    lines: list[str] = []
    for _ in range(draw(st.integers(1, 6))):
        head = f"{draw(NAMES if draw(st.booleans()) else st.just('bybit,BTCUSDT'))},{draw(TIMES)}"
        if kind == "wide":
            fields = [draw(field()) for _ in LEVELS]
        elif kind == "book":
            words = draw(st.sampled_from(["true", "false"])), draw(st.sampled_from(["bid", "ask"]))
            fields = [*words, draw(NUMBERS), draw(NUMBERS)]
        else:
            words = draw(st.sampled_from(["7", "a-b", "", "1" * 18])), draw(st.sampled_from(["buy", "sell", "unknown"]))
            fields = [*words, draw(NUMBERS), draw(NUMBERS)]
        parts = [*head.split(","), *fields]
        if draw(st.integers(0, 11)) == 0:
            parts[draw(st.integers(0, len(parts) - 1))] = draw(ODD)
        lines.append(",".join(parts) + draw(st.sampled_from(["", "", "", "\r", ",x"] if len(lines) == 3 else [""])))
    return draw(st.sampled_from(["\n", "\r\n"])).join(lines) + draw(st.sampled_from(["\n", "", "\n\n"]))


def read(kind: str, parts: list[bytes], plain: bool) -> tuple[list[Block], list[tuple[str, str]], int, Any]:
    """Blocks of consecutive texts of a file, its instruments, the number of its lines, and what is remembered."""
    instruments = Instruments()
    reader = _Reader(Path("file"), list(HEADERS[kind]), instruments, ImportStats())
    if not plain:
        reader._as_always = lambda text: None  # type: ignore[method-assign]
    blocks = [block for part in parts for block in reader.read(part)]
    return blocks, instruments.names, reader._line, reader._last.tolist()


@pytest.mark.parametrize("kind", HEADERS)
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_both_ways_give_the_same(kind: str, data: st.DataObject) -> None:
    parts = [data.draw(texts(kind)).encode() for _ in range(2)]
    quick, names, line, last = read(kind, parts, True)
    slow, slow_names, slow_line, slow_last = read(kind, parts, False)
    assert (names, line, last) == (slow_names, slow_line, slow_last)
    assert len(quick) == len(slow)
    for one, other in zip(quick, slow, strict=True):
        for name, a, b in zip(Block._fields, one, other, strict=True):
            assert a.dtype == b.dtype, name
            assert np.array_equal(a, b), name


@pytest.mark.parametrize("kind", HEADERS)
def test_what_is_usual_is_read_in_one_pass(kind: str) -> None:
    rest = {"book": "false,bid,5.5,1", "trades": "17,buy,5.5,1", "wide": "5.5,1,5.4,2,,,5.3,1"}[kind]
    reader = _Reader(Path("file"), list(HEADERS[kind]), Instruments(), ImportStats())
    text = f"bybit,BTCUSDT,{T},{T},{rest}\n" * 3
    whole = reader._as_always(text.encode())
    assert whole is not None
    assert whole.rows == (9 if kind == "wide" else 3)
    assert reader._as_always(text.replace("5.5", "x").encode()) is None
