"""The page attached to a recorder, which begins, is killed and begins again, in a real browser."""

import signal
from pathlib import Path

import pytest

from simulator.thread import SimulatorThread
from tests.dataflows.conftest import Start
from tests.ports import free_ports
from tests.window.chromium import Page, chromium
from tests.window.test_live_page import BTC, LENGTH, true_bests

pytestmark = pytest.mark.slow
SERIES = "window.tickwax.store.of('features')"
STATE = "document.querySelector('#state').textContent"
TICKWAX = ("-c", "from dataflows.cli import main; main()")


def assert_true_prices(page: Page, exchange: SimulatorThread) -> None:
    shown = page.js(
        "(() => { const p = window.tickwax; p.panels.draw(); const ask = (side) => Number("
        "document.querySelector(`#ladder .best .${side}`).textContent);"
        "return [ask('bid'), ask('ask'), p.view.features.at('ts', p.view.row())]; })()"
    )
    assert tuple(shown[:2]) in true_bests(exchange, int(shown[2]) - 200, int(shown[2]))


def test_it_shows_the_true_best_prices_over_the_end_and_the_restart_of_the_recorder(
    exchange: SimulatorThread, start: Start, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    tape = {"tape.path": tmp_path / "tape"}
    recorder = {**exchange.addresses, **tape, "symbols": f'["{BTC}"]'}
    shown = start({**tape, "ui.port": port}, *TICKWAX, "ui", "--attach")
    assert shown.stderr is not None
    while "the window: " not in (line := shown.stderr.readline()):
        assert line, "it ended before it served the page"
    with chromium(tmp_path / "profile") as page:
        page.open(f"http://127.0.0.1:{port}/")
        page.until(f"{STATE}.includes('nobody records to')")
        first = start(recorder, *TICKWAX, "record")
        page.until(f"{LENGTH} > 20", 90)
        assert page.text("#name") == str(BTC)
        page.until(f"{STATE} === 'attached to a recorder'")
        assert_true_prices(page, exchange)
        first.send_signal(signal.SIGINT)
        assert first.wait(30) == 0
        page.until(f"{STATE}.includes('the recorder has ended; waiting for another one')")
        before = page.js(f"{SERIES}.at('ts')")
        second = start(recorder, *TICKWAX, "record")
        page.until(f"{SERIES}.at('ts') > {before} + 2000", 90)
        page.until(f"{STATE} === 'attached to a recorder'")
        assert_true_prices(page, exchange)
        assert page.js(f"{SERIES}.gaps[{SERIES}.find({before} + 1)]") == 1, "a line is drawn over what nobody recorded"
        holes = page.js("window.tickwax.view.holes()")
        assert any(abs(begin - before) < 1000 and why == "reset" for begin, _, why in holes), holes
        assert page.complaints() == []
        assert second.poll() is None
