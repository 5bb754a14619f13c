"""The page of a real run, against a simulated exchange over real sockets, in a real browser."""

import time
from pathlib import Path

import pytest

from simulator.simulator import Simulator
from simulator.thread import SimulatorThread
from sources.instrument import Instrument
from tests.dataflows.conftest import Start
from tests.ports import free_ports
from tests.window.chromium import chromium

pytestmark = pytest.mark.slow
BTC = Instrument("binance_futures", "BTCUSDT")
LENGTH = "window.tickwax.store.of('features').length"


def true_bests(exchange: SimulatorThread, begin_ms: int, end_ms: int) -> set[tuple[float, float]]:
    """Best bid and ask after every update between two exchange times, and at the first."""

    def look(simulator: Simulator) -> set[tuple[float, float]]:
        truth = simulator.feeds[BTC.venue][BTC.symbol].truth
        ids = range(truth.id_at(begin_ms), truth.id_at(end_ms) + 1)
        return {(max(book.bids), min(book.asks)) for _, book in truth.books(ids)}

    return exchange.call(look)


def test_it_shows_the_true_best_prices_within_a_second_and_outlives_the_engine(
    exchange: SimulatorThread, start: Start, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    paths = {"tape.path": tmp_path / "tape", "features.path": tmp_path / "features"}
    ui = {"ui.on": "true", "ui.port": port, "symbols": f'["{BTC}"]'}
    module = ("-m", "bytewax.run", "dataflows.live")
    first = start({**exchange.addresses, **paths, **ui}, *module)
    with chromium(tmp_path / "profile") as page:
        assert first.stderr is not None
        while "the window: " not in (line := first.stderr.readline()):
            assert line, "the run ended before it served the page"
        page.open(f"http://127.0.0.1:{port}/")
        page.until(f"{LENGTH} > 20", 90)
        for _ in range(5):
            shown = page.js(
                "(() => { const p = window.tickwax; p.panels.draw(); const ask = (side) => Number("
                "document.querySelector(`#ladder .best .${side}`).textContent);"
                "return [ask('bid'), ask('ask'), p.view.features.at('ts', p.view.row())]; })()"
            )
            now = time.time() * 1000
            assert now - shown[2] < 1000, "older than a second"
            assert tuple(shown[:2]) in true_bests(exchange, int(shown[2]) - 200, int(shown[2]))
            time.sleep(0.1)
        assert page.complaints() == []
        first.kill()
        page.until("document.querySelector('#state').dataset.state === 'lost'")
        before = page.js("window.tickwax.store.of('features').at('ts')")
        start({**exchange.addresses, **paths, **ui}, *module)
        page.until("document.querySelector('#state').dataset.state === 'live'", 90)
        page.until("document.querySelector('#notices').textContent.includes('another run answers now')")
        page.until(f"window.tickwax.store.of('features').at('ts') > {before}", 30)
        series = "window.tickwax.store.of('features')"
        assert page.js(f"{series}.gaps[{series}.find({before} + 1)]") == 1
