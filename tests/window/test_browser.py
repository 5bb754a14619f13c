"""The page in a real browser, on rows that the test makes."""

import http.server
import threading
import time
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import pytest

from operators.inspection_verdict import VERDICTS
from sources.tape.batch import RESET, TRADE
from tests.window.chromium import Page, chromium
from tests.window.conftest import BTC, CONFIG, MS, NOW, events, rows
from window.server import WindowServer
from window.tap import FEATURES, Tap

pytestmark = pytest.mark.slow
LENGTH = "window.tickwax.store.of('features').length"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(autouse=True)
def blank(page: Page) -> None:
    page.open("about:blank")  # so that no page of a test that is over asks for a connection
    page.complaints()
    page.requests()


def test_it_loads_without_a_network_and_can_be_used_by_everybody(page: Page, server: WindowServer, tap: Tap) -> None:
    tap.put_tape(events(20, [TRADE] * 5))
    page.open(server.url)
    page.until(f"{LENGTH} === 50")
    page.until("document.querySelectorAll('#trades tbody tr').length === 5")
    assert page.text("#name") == BTC
    assert page.text("#ladder .best .bid") == "99.5"
    assert page.text("#ladder .best .ask") == "100.5"
    bars = "[...document.querySelectorAll('#ladder .bar')].filter((bar) => bar.getBoundingClientRect().width > 5)"
    assert page.js(f"{bars}.map((bar) => bar.parentNode.className)") == ["asks"] * 10 + ["bids"] * 10
    assert page.text("#state") == "live"
    assert page.complaints() == []
    own = urlsplit(server.url).netloc
    asked = page.requests()
    assert {urlsplit(url).netloc for url in asked if not url.startswith("data:")} == {own}
    assert f"ws://{own}/stream" in asked
    assert page.violations() == []
    page.driver.execute_script("document.getElementById('help-button').click()")
    assert page.violations() == []


def test_the_quality_of_what_is_recorded_stands_in_the_table(page: Page, server: WindowServer, tap: Tap) -> None:
    tap.verdicts = VERDICTS
    page.open(server.url)
    page.until(f"{LENGTH} === 50")
    cell = "document.querySelector('#overview tbody td:last-child')"
    page.until(f"{cell}?.textContent === '…'")
    tap.judged({BTC: 2})
    page.until(f"{cell}.textContent === 'bad' && {cell}.className === 'lost'")
    assert page.text("#overview thead th:last-child") == "quality"
    assert page.js(f"{cell}.getBoundingClientRect().right <= document.getElementById('rows').clientWidth")
    assert page.violations() == []


def test_a_phone_and_the_dark_can_read_it(server: WindowServer, tmp_path) -> None:
    with chromium(tmp_path / "profile", "--window-size=500,900", "--blink-settings=preferredColorScheme=0") as phone:
        phone.open(server.url)
        phone.until(f"{LENGTH} === 50")
        assert phone.js("matchMedia('(prefers-color-scheme: dark)').matches")
        assert phone.js("document.documentElement.scrollWidth <= innerWidth")
        assert phone.violations() == []


def test_a_reset_is_a_gap_and_no_line(page: Page, server: WindowServer, tap: Tap) -> None:
    tap.put_tape(events(60, [RESET]))
    tap.put(FEATURES, BTC, rows(200, 200, restart=True))  # 15 s without a book
    page.open(server.url)
    page.until(f"{LENGTH} === 250 && window.tickwax.view.silence > 0")  # from here on the axis stands still
    holes = page.js("window.tickwax.view.holes()")
    assert [(why, round(to - begin)) for begin, to, why in holes if why == "reset"] == [("reset", 15_100)]
    assert page.js("window.tickwax.view.points(['bid_price'])[1].filter((bid) => bid === null).length") == 1
    page.js("window.tickwax.panels.draw()")
    # In the middle of the hole nothing has the colour of a bid: neither a line nor a cell of the heat map.
    blue = """((canvas, from, to, left, right) => {
      const {width, height} = canvas, view = window.tickwax.view, ratio = devicePixelRatio;
      const x = (ms) => ratio * left + (width - ratio * (left + right)) * (ms - view.from) / (view.to - view.from);
      const [a, b] = [Math.ceil(x(from)), Math.floor(x(to))];
      const pixels = canvas.getContext('2d').getImageData(a, 0, b - a, height - 40).data;
      let found = 0;
      for (let i = 0; i < pixels.length; i += 4)
        if (pixels[i + 3] > 60 && pixels[i + 2] > pixels[i] + 60) found += 1;
      return found;
    })"""
    for canvas in ("document.querySelector('#price canvas')", "document.querySelector('#heat')"):
        begin, to, _ = next(hole for hole in holes if hole[2] == "reset")
        assert page.js(f"{blue}({canvas}, {begin + 1000}, {to - 1000}, 66, 10)") == 0, canvas
        assert page.js(f"{blue}({canvas}, {to + 1000}, {to + 9000}, 66, 10)") > 20, canvas


def test_an_unknown_book_is_told_of_while_it_lasts(page: Page, server: WindowServer, tap: Tap) -> None:
    page.open(server.url)
    page.until(f"{LENGTH} === 50")
    tap.put_tape(events(55, [RESET]))
    page.until("document.querySelector('#overview tbody .lost')?.textContent === 'no book'")
    page.until("window.tickwax.view.holes().some((hole) => hole[2] === 'book unknown')")


def test_a_market_that_falls_silent_is_said_to_and_hatched(page: Page, server: WindowServer, tap: Tap) -> None:
    page.open(server.url)
    page.until("document.querySelector('#state').textContent === 'live'")
    tap.now = lambda: NOW + 67_000 * MS
    page.until("document.querySelector('#state').textContent === 'live: silent for 7.0 s'")
    page.until("window.tickwax.view.holes().some((hole) => hole[2] === 'no data')")


def test_another_run_on_the_same_port_is_taken_up(page: Page, tap: Tap) -> None:
    first = WindowServer(tap, "127.0.0.1", 0)
    port = urlsplit(first.url).port
    assert port
    page.open(first.url)
    page.until(f"{LENGTH} === 50")
    first.close()
    page.until("document.querySelector('#state').dataset.state === 'lost'")
    assert page.text("#state").startswith("the run has ended")
    assert page.js(LENGTH) == 50  # what it has stays
    again = Tap(CONFIG, lambda: NOW + 60_000 * MS, {"run": "2", "mode": "live", "speed": 1})
    again.put(FEATURES, BTC, rows(100, 20, restart=True))
    second = WindowServer(again, "127.0.0.1", port)
    try:
        page.until(f"{LENGTH} === 70")
        assert page.js("document.querySelector('#state').dataset.state") != "lost"
        assert "another run answers now" in page.text("#notices")
        assert page.js("window.tickwax.store.of('features').gaps[50]") == 1
        again.put(FEATURES, BTC, rows(10, 5))  # its clock has stepped back
        page.until(f"{LENGTH} === 5")
        assert "the clock stepped back by 10.9 s" in page.text("#notices")
        again.put(FEATURES, BTC, rows(2000, 5))
        page.until(f"{LENGTH} === 10")
        assert "the clock jumped ahead by 3 min" in page.text("#notices")
    finally:
        second.close()


def test_an_unknown_instrument_in_the_address_is_a_line(page: Page, server: WindowServer) -> None:
    page.open(f"{server.url}#{quote('nobody:<b>X')}")
    page.until("document.querySelector('#name').textContent.includes('nobody')")
    assert page.text("#name") == "No instrument “nobody:<b>X”"
    shown = "getComputedStyle(document.querySelector('.panels')).visibility"
    assert page.js(shown) == "hidden"
    page.js("document.querySelector('#overview tbody button').click()")
    page.until(f"{LENGTH} === 50")
    assert page.js(shown) == "visible"


def test_two_thousand_instruments_are_sorted_and_scrolled_by_key(page: Page, server: WindowServer, tap: Tap) -> None:
    for n in range(2000):
        tap.put(FEATURES, f"binance_futures:X{n:04}", rows(0, 1, mid=1.0 + n))
    page.open(server.url)
    page.until("window.tickwax.overview.names.length === 2001 && window.tickwax.overview.value('mid', 2000) > 0")
    assert page.js("document.querySelectorAll('#overview tbody tr').length") < 80
    assert page.js("document.querySelector('#overview').getAttribute('aria-rowcount')") == "2002"
    heads = "[...document.querySelectorAll('#overview th button')]"
    page.driver.execute_script(f"{heads}.find((button) => button.textContent === 'mid').click()")
    name = "document.querySelector('#overview tbody tr[aria-rowindex=\"{}\"] button')?.dataset.name"
    page.until(f"{name.format(2)} === 'binance_futures:X1999'")
    page.driver.execute_script("document.getElementById('rows').scrollTop = 1e9")
    page.until(f"{name.format(2002)} === 'binance_futures:X0000'")
    # Elements are used again while it scrolls; at rest they are in the order, and at the places, in which one reads.
    page.driver.execute_script("document.getElementById('rows').scrollTop = 36 * 1003")
    listed = "[...document.querySelectorAll('#overview tbody tr')].map((row) => Number(row.ariaRowIndex))"
    page.until(f"((rows) => rows.includes(1000) && rows.every((row, k) => row === rows[0] + k))({listed})")
    top = "document.querySelector('#overview tbody tr[aria-rowindex=\"1005\"]').getBoundingClientRect().top"
    assert page.js(f"{top} - document.getElementById('rows').getBoundingClientRect().top") < 36
    page.driver.execute_script("location.hash = 'binance_futures:X1000'")
    page.until("window.tickwax.store.symbol === 'binance_futures:X1000'")
    for _ in range(2):
        page.driver.find_element("tag name", "body").send_keys("j")
    page.until("window.tickwax.store.symbol === 'binance_futures:X0998'")
    page.driver.execute_script(
        "const f = document.getElementById('filter'); f.value = 'x0042'; f.dispatchEvent(new Event('input'))"
    )
    page.until(f"{name.format(2)} === 'binance_futures:X0042'")


def test_a_hostile_page_reads_nothing(page: Page, server: WindowServer) -> None:
    """A page of another origin, in the same browser, that knows the port."""
    hostile = b"""<!doctype html><script>
      window.got = []; window.done = false;
      const socket = new WebSocket('ws://%s/stream');
      socket.onmessage = () => got.push('frame');
      socket.onclose = () => fetch('http://%s/').then((r) => r.text()).then((t) => got.push(t), () => 0)
        .finally(() => { window.done = true; });
    </script>""" % ((urlsplit(server.url).netloc.encode(),) * 2)

    class Hostile(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(hostile)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hostile) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        page.open(f"http://127.0.0.1:{other.server_address[1]}/")
        page.until("window.done")
        assert page.js("window.got") == []
        other.shutdown()


def test_a_closed_laptop_comes_back(page: Page, server: WindowServer, tap: Tap) -> None:
    """The socket is dead without anybody having said so: the page notices by the silence."""
    page.open(server.url)
    page.until(f"{LENGTH} === 50")
    before = time.monotonic()
    page.driver.execute_script(
        "const { link } = window.tickwax; window.was = link.socket; window.was.onmessage = null; link.heard -= 3600_000"
    )
    tap.put(FEATURES, BTC, rows(50, 10))
    page.until("window.tickwax.link.socket && window.tickwax.link.socket !== window.was", 10)
    page.until(f"{LENGTH} === 60")
    assert time.monotonic() - before < 10
    assert page.js("window.tickwax.store.of('features').gaps.slice(0, 60).reduce((a, b) => a + b)") == 1  # the first
