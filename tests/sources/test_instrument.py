"""Names of instruments: what can be a folder, a key and a line of text, and what is refused."""

from pathlib import Path

import pytest

from sources.errors import TickwaxError
from sources.instrument import Instrument, twins
from sources.tape.layout import instrument_dir


@pytest.mark.parametrize("sign", [*"?*[]%:= /\\\t", "\0", "\x1b", "\n", "\u202e", "\u2066", "\u200b", "\udc80"])
def test_a_symbol_that_a_pattern_or_a_key_would_misread_is_refused(sign: str) -> None:
    with pytest.raises(TickwaxError, match="expected venue:SYMBOL"):
        Instrument.parse(f"binance_futures:A{sign}B")
    assert Instrument.parse("binance_futures:1000币-Ä_26.Z").symbol == "1000币-Ä_26.Z"


@pytest.mark.parametrize(("sign", "most"), [("A", 240), ("币", 80)])
def test_a_symbol_that_is_too_long_for_a_folder_is_refused(tmp_path: Path, sign: str, most: int) -> None:
    longest = Instrument.parse(f"binance_futures:{sign * most}")
    folder = instrument_dir(tmp_path, longest)
    folder.with_name(folder.name + ".damaged").mkdir(parents=True)  # not too long for the file system
    with pytest.raises(TickwaxError, match=f"'… .{most + 17} characters.: expected venue:SYMBOL.*up to 240 bytes"):
        Instrument.parse(f"binance_futures:{sign * (most + 1)}")


def test_twins_differ_in_capitals_or_in_how_a_sign_is_written() -> None:
    names = ["a:BTCUSDT", "b:BTCusdt", "a:BTCusdt", "a:ETH", "a:ÄB", "a:A\u0308b", "a:ETH"]
    found = twins(map(Instrument.parse, names))
    assert [(str(one), str(other)) for one, other in found] == [
        ("a:BTCUSDT", "a:BTCusdt"), ("a:ÄB", "a:A\u0308b"),
    ]  # fmt: skip
