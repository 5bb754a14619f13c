"""How often the log may repeat itself."""

import re

import pytest

from dataflows.runtime.metrics import LiveTelemetry
from sources.live.log_limit import LogLimiter


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_first_occurrence_is_a_line_and_the_rest_are_counts_at_doubled_intervals() -> None:
    clock = Clock()
    limiter = LogLimiter(clock, interval=10.0, longest=40.0)
    lines = []
    for second in range(200):
        clock.now = float(second)
        for _ in range(100):
            untold = limiter.admit("bad frame", "bybit_linear")
            if untold is not None:
                lines.append((second, untold))
    assert lines == [(0, 0), (10, 999), (30, 1999), (70, 3999), (110, 3999), (150, 3999), (190, 3999)]
    # Every occurrence is a line of its own or in a count.
    rest = limiter.untold(due_only=False)
    assert rest == [(("bad frame", "bybit_linear"), 20_000 - sum(n for _, n in lines) - len(lines))]
    assert limiter.untold(due_only=False) == []


def test_kinds_are_told_apart_and_what_was_quiet_begins_anew() -> None:
    clock = Clock()
    limiter = LogLimiter(clock, interval=10.0)
    assert limiter.admit("gap", "BTC") == 0
    assert limiter.admit("gap", "ETH") == 0
    assert limiter.admit("gap", "BTC") is None
    assert limiter.untold() == []  # not yet due
    clock.now = 10.0
    assert limiter.untold() == [(("gap", "BTC"), 1)]
    clock.now = 29.0
    assert limiter.admit("gap", "BTC") is None  # the interval has doubled
    clock.now = 100.0
    assert limiter.admit("gap", "ETH") == 0
    clock.now = 110.0
    assert limiter.admit("gap", "ETH") == 0  # 10 s again


def test_the_number_of_kinds_is_bounded() -> None:
    clock = Clock()
    limiter = LogLimiter(clock, interval=10.0, keys=50)
    lines = sum(limiter.admit("bad frame", f"symbol {n}") is not None for n in range(10_000))
    assert lines == 51
    assert limiter.untold(due_only=False) == [(("bad frame",), 10_000 - 51)]
    clock.now = 1_000.0
    assert limiter.admit("bad frame", "another") == 0  # what was over is forgotten


def test_a_live_run_logs_46_000_bad_frames_in_a_few_lines(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    telemetry = LiveTelemetry(clock)
    for n in range(46_000):
        clock.now = n / 1000.0
        telemetry.bad_frame("bybit_linear", "BTCUSDT", f"exchange time is {n} s ahead", "{")
        telemetry.buffered(0)
    telemetry.tell_counts()
    lines = [line for line in capsys.readouterr().err.splitlines() if "bad frame" in line]
    assert len(lines) == 4  # at 0, 10 and 30 s, and at the end
    assert sum(int(n) for line in lines for n in re.findall(r"repeated=(\d+)", line)) + 3 == 46_000
