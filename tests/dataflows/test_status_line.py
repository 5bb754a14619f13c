"""The line that tells how a run is: below what is printed, never in it, and gone at the end."""

import io
import sys
import threading

import pytest

from dataflows.reports.status_line import StatusLine
from dataflows.runtime.metrics import KNOWN, LOST
from dataflows.runtime.status import Status
from sources.tape.layout import workplace


class Told(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def screen(text: str) -> list[str]:
    """What a terminal shows: a line that is wiped out is gone."""
    return [line.rpartition("\r\x1b[K")[2] for line in text.split("\n")]


def test_lines_that_are_printed_stay_whole_above_it() -> None:
    to, asked = Told(terminal=True), threading.Semaphore(0)

    def status() -> str:
        asked.release()
        return "live · 7 rows/s"

    line = StatusLine(to)
    with line.shows(status):
        asked.acquire()
        asked.acquire()  # so the first has been drawn
        print("tickwax: one", file=sys.stderr)
        print("in ", end="", file=sys.stderr)
        print("parts", file=sys.stderr)
        assert screen(to.getvalue()) == ["tickwax: one", "in parts", "live · 7 rows/s"]
    assert screen(to.getvalue()) == ["tickwax: one", "in parts", ""]
    assert not isinstance(sys.stderr, StatusLine)


def test_it_is_cut_to_the_terminal(monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    to, asked = Told(terminal=True), threading.Semaphore(0)
    line = StatusLine(to)
    with line.shows(lambda: (asked.release(), "live · 1,234,567 rows/s")[1]):
        asked.acquire()
        asked.acquire()
        assert screen(to.getvalue()) == ["live · 1,234,567 ro"]


def test_elsewhere_it_is_a_line_now_and_then() -> None:
    to, asked = Told(terminal=False), threading.Semaphore(0)
    with StatusLine(to, every=0.01).shows(lambda: (asked.release(), "live · 7 rows/s")[1]):
        asked.acquire()
        asked.acquire()
    assert set(to.getvalue().splitlines()) == {"tickwax: live · 7 rows/s"}
    assert "\x1b" not in to.getvalue()


def test_a_run_in_a_line(tmp_path) -> None:
    now, rows, trouble = [100.0], [0.0], [""]
    workplace(tmp_path / "tape").mkdir(exist_ok=True)
    status = Status(
        "live", 3, [tmp_path / "tape"], 90 * 10**9, lambda: rows[0], lambda: trouble[0], clock=lambda: now[0]
    )
    assert status.line() == "live · connecting …"
    KNOWN.labels("binance_futures").inc(2)
    LOST.labels("binance_futures").inc()
    try:
        now[0], rows[0] = 102.0, 500.0
        parts = status.line().split(" · ")
        assert parts[:4] == ["live", "250 rows/s", "2 of 3 books known", "1 gap"]
        assert parts[4].endswith(" GB free")
        assert parts[5] == "1:30 left"
        now[0], rows[0], trouble[0] = 112.0, 600.0, "the dataflow has stood still for 31 s"
        parts = status.line().split(" · ")
        assert parts[:3] == ["live", "the dataflow has stood still for 31 s", "10 rows/s"]
        assert parts[-1] == "1:20 left"
    finally:
        KNOWN.labels("binance_futures").dec(2)


@pytest.mark.parametrize("left", [(3700, "1:01:40 left"), (0, "0:00 left"), (-5, "0:00 left")])
def test_time_left(left: tuple[int, str]) -> None:
    now = [0.0]
    status = Status("live", 1, [], 4000 * 10**9, lambda: now[0] + 1, clock=lambda: now[0])
    status.line()
    now[0] = 4000.0 - left[0]
    assert status.line().split(" · ")[-1] == left[1]
