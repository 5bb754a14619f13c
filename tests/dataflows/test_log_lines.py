"""Log lines on terminals of any width."""

import structlog

from dataflows.runtime.log_lines import Fitted, folded

EVENT = {
    "event": "connected",
    "level": "info",
    "timestamp": "2026-11-28 12:57:13",
    "venue": "bybit_linear",
    "streams": 2,
}
USUAL = "2026-11-28 12:57:13 [info     ] connected                      streams=2 venue=bybit_linear"


def rendered(columns: int, **fields: object) -> str:
    usual = structlog.dev.ConsoleRenderer(colors=False)
    return Fitted(usual, lambda: columns)(None, "info", {**EVENT, **fields})


def test_a_line_that_fits_stays_as_it_is() -> None:
    assert rendered(len(USUAL)) == USUAL


def test_a_wider_one_is_short_and_then_folded_between_words() -> None:
    short = "12:57:13 [info] connected streams=2 venue=bybit_linear"
    assert rendered(len(USUAL) - 1) == rendered(len(short)) == short
    assert rendered(len(short) - 1) == "12:57:13 [info] connected streams=2\n         venue=bybit_linear"
    assert rendered(5).split() == short.split()


def test_colours_take_no_room_and_a_trace_stays() -> None:
    usual = structlog.dev.ConsoleRenderer(colors=True)
    line = Fitted(usual, lambda: len(USUAL))(None, "info", dict(EVENT))
    assert line == usual(None, "info", dict(EVENT))
    assert rendered(40, exception="Traceback\n  a line that is wider than the terminal is").endswith(
        "\nTraceback\n  a line that is wider than the terminal is"
    )
    assert folded("\x1b[1m谷歌\x1b[0m ab", 7) == "\x1b[1m谷歌\x1b[0m ab"
    assert folded("\x1b[1m谷歌\x1b[0m ab", 6) == "\x1b[1m谷歌\x1b[0m\n         ab"
