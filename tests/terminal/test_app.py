"""The application under Textual's own pilot: what is pressed, and what is then on the screen."""

import re
import sys
import time

import pytest

from operators.inspection_verdict import VERDICTS
from operators.schema import column_row
from sources.tape.batch import DELTA, RESET
from tests.terminal.conftest import NAMES, Shown, Z, on_screen, put
from tests.window.conftest import CONFIG, NOW, events, rows
from window.tap import FEATURES, Tap
from window.terminal.instrument import InstrumentScreen
from window.terminal.listing import Listing

pytestmark = pytest.mark.slow


def line_of(shown: Shown, name: str) -> str:
    return next(line for line in shown.text().splitlines() if line.startswith(name))


def test_every_instrument_is_told_of_in_a_line(market: Tap) -> None:
    async def look(shown: Shown) -> None:
        assert shown.listed() == NAMES
        first = line_of(shown, NAMES[0]).split()
        assert first[:8] == [NAMES[0], "64000.5", "0.156", "+2.50", "warm", "trending", "0", "1.1"]
        assert first[9] == "50"
        assert "waiting" in line_of(shown, NAMES[3])
        assert not re.search(r"\bnan\b", shown.text())

    on_screen(market, look)


def test_a_warm_up_is_counted_down(market: Tap) -> None:
    async def look(shown: Shown) -> None:
        line = line_of(shown, NAMES[2])
        assert "warm in 88 s" in line
        assert "+9.00" not in line
        put(market, NAMES[2], 30, 10, since=589, warm=1 | 16 | 32 | 64, **{Z: 9.0})
        shown.app.renew()
        await shown.pilot.pause()
        assert "warm in 87 s" in line_of(shown, NAMES[2])
        put(market, NAMES[2], 40, 1, since=1458, warm=127, **{Z: 1.5})
        shown.app.renew()
        await shown.pilot.pause()
        assert "warm in" not in line_of(shown, NAMES[2])
        assert "+1.50" in line_of(shown, NAMES[2])

    on_screen(market, look)


def test_sorting(market: Tap) -> None:
    async def look(shown: Shown) -> None:
        await shown.press("s")  # mid, the largest first; what has none is last
        assert shown.listed() == [NAMES[2], NAMES[0], NAMES[1], NAMES[3]]
        await shown.press("r")
        assert shown.listed() == [NAMES[1], NAMES[0], NAMES[2], NAMES[3]]
        await shown.press("s", "s")  # the z-score; one that is not warm counts as none
        assert shown.listed() == [NAMES[0], NAMES[1], NAMES[2], NAMES[3]]
        assert "z l0 1s▼" in shown.text()
        await shown.press("S", "S", "S")
        assert shown.listed() == NAMES
        await shown.pilot.click(Listing, offset=(35, 0))  # a title
        assert shown.app.table.sorted_by == "mid"

    on_screen(market, look)


def test_the_quality_of_what_is_recorded(market: Tap) -> None:
    async def without(shown: Shown) -> None:
        assert "quality" not in shown.text()

    async def look(shown: Shown) -> None:
        assert "quality" in shown.text()
        assert [line_of(shown, name).split().count("–") for name in NAMES[:2]] == [1, 1]  # not known yet
        market.judged({NAMES[0]: 0, NAMES[1]: 2})
        await shown.press("s", "S")
        assert " good " in line_of(shown, NAMES[0])
        assert " bad " in line_of(shown, NAMES[1])
        shown.app.screen.query_one(Listing).sort("quality")  # the worst first, what is not known last
        await shown.pilot.pause()
        assert shown.listed()[:2] == [NAMES[1], NAMES[0]]

    on_screen(market, without)
    market.verdicts = VERDICTS
    on_screen(market, look)


def test_filtering(market: Tap) -> None:
    async def look(shown: Shown) -> None:
        await shown.press("slash", *"btc")
        assert shown.listed() == [NAMES[0], NAMES[2]]
        await shown.press(*" bybit", "enter")
        assert shown.listed() == [NAMES[2]]
        await shown.press("enter")
        assert isinstance(shown.app.screen, InstrumentScreen)
        assert shown.app.screen.view.key == NAMES[2]
        await shown.press("escape", "escape")
        assert shown.listed() == NAMES

    on_screen(market, look)


def test_an_instrument_with_its_ladder_and_its_scores(market: Tap) -> None:
    async def look(shown: Shown) -> None:
        await shown.press("enter")
        text = shown.text()
        lines = text.splitlines()
        best = next(n for n, line in enumerate(lines) if " spread" in line and "spread bp" not in line)
        assert lines[best - 1].split()[:2] == ["64001", "2"]
        assert lines[best + 1].split()[:2] == ["64000", "2"]
        assert "████████████████" in lines[best - 1]
        score = next(line for line in lines[4:] if "+2.50" in line)
        assert "│█████ " in score  # five eighths of the half: 2.5 of 4 deviations
        assert text.count("│") >= 16
        assert "z, 20 levels" in text
        await shown.press("n", "n")
        assert shown.app.screen.view.key == NAMES[2]
        assert "warm in 88 s" in shown.text()
        assert "+9.00" not in shown.text()
        await shown.press("n")
        assert "the book is unknown" in shown.text()
        await shown.press("p", "escape")
        assert shown.listed() == NAMES

    on_screen(market, look)


def test_a_reset_in_view_is_a_gap_and_no_line_leads_across(market: Tap) -> None:
    async def look(shown: Shown) -> None:
        await shown.press("enter")
        assert "the book is unknown" not in shown.text().replace("a gap: the book was unknown", "")
        market.put_tape(events(60, [DELTA, RESET]))
        await shown.press()
        assert "the book is unknown" in shown.text()
        put(market, NAMES[0], 70, 30, restart=True, mid=64010.5)
        await shown.press()
        text = shown.text()
        assert "the book is unknown" not in text
        assert "gaps 1" in text
        drawn = text[text.index("a gap: the book was unknown") :].splitlines()[1:5]
        columns = ["".join(line[n] for line in drawn) for n in range(1, 139)]
        there = "".join("x" if column.strip() else " " for column in columns).strip()
        assert [len(part) > 20 for part in there.split("  ", 1)] == [True, True]
        await shown.press("escape")
        assert line_of(shown, NAMES[0]).split()[6] == "1"
        market.put_tape(events(110, [RESET]))
        await shown.press()
        assert "no book" in line_of(shown, NAMES[0])

    on_screen(market, look)


def test_two_thousand_instruments_scroll_and_only_what_is_in_sight_is_drawn() -> None:
    tap = Tap(CONFIG, lambda: NOW, {})
    names = [f"binance_futures:X{n:04}USDT" for n in range(2000)]
    tap.expect(names)
    batch = rows(0, 1)
    for n, name in enumerate(names):
        batch.value[column_row(CONFIG, "mid")] = 1.0 + n
        tap.put(FEATURES, name, batch)

    async def look(shown: Shown) -> None:
        await shown.press("end")
        assert shown.listed()[-1] == names[-1]
        assert len(shown.listed()) < 40
        await shown.press("pageup")
        assert shown.app.screen.query_one(Listing).current < names[-20]
        await shown.press("home", "s")
        assert shown.app.screen.query_one(Listing).current == names[0]  # the cursor stays on its instrument
        await shown.press("home")
        assert shown.listed()[0] == names[-1]
        drawn: list[int] = []
        cell = shown.app.table.cell
        shown.app.table.cell = lambda i, name: (drawn.append(i), cell(i, name))[1]  # type: ignore[method-assign]
        await shown.press()
        assert 0 < len(set(drawn)) < 80

    on_screen(tap, look)


def test_what_is_logged_and_printed_goes_to_the_log_and_nowhere_else(market: Tap, capsys) -> None:
    async def look(shown: Shown) -> None:
        print("2026-01-05 [warning  ] book lost  instrument=x", file=shown.log)
        print("tickwax: said by somebody", file=sys.stderr)
        await shown.press()
        assert "book lost" in shown.text()
        assert "said by somebody" in shown.text()
        await shown.press("l")
        assert "book lost" not in shown.text()
        await shown.press("l")
        assert "book lost" in shown.text()

    on_screen(market, look)
    assert capsys.readouterr() == ("", "")


def test_keys_that_quit_ask_the_run_to_end(market: Tap) -> None:
    async def look(shown: Shown) -> None:
        await shown.press("q")
        await shown.press("ctrl+c")
        assert shown.stops == [1, 1]
        assert shown.listed() == NAMES  # until it has ended
        shown.app.leave()
        await shown.pilot.pause()

    on_screen(market, look, status="features · connecting …")


def test_the_engines_side_never_waits_for_the_screen(market: Tap) -> None:
    """Rows that come while nobody draws are skipped, and the newest is shown then."""

    async def look(shown: Shown) -> None:
        time.sleep(0.3)  # the application's thread is held up
        for n in range(20):
            put(market, NAMES[0], 50 + 500 * n, 500, mid=64000.0 + n)
        for n in range(10_000):
            print(f"line {n}", file=shown.log)
        await shown.press("enter")
        assert "64019" in shown.text()
        assert "line 9999" in shown.text()
        assert len(shown.log.since(0)) == 2000
        assert len(shown.app.screen.view._mid) <= 4000

    on_screen(market, look)


def test_a_narrow_terminal_shows_what_fits(market: Tap) -> None:
    async def look(shown: Shown) -> None:
        assert all(len(line) <= 60 for line in shown.text().splitlines())
        assert "64000.5" in shown.text()
        shown.app.screen.query_one(Listing).scroll_to(x=80, animate=False)
        await shown.press()
        assert "last minute" in shown.text()
        await shown.press("enter")
        assert "z, best level" in shown.text()

    on_screen(market, look, size=(60, 24))
