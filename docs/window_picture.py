"""Draws `docs/window.png`, the page in a browser: ``python docs/window_picture.py``, a minute; wants Chromium and the
extra ``dev``.

What it shows is a recording of the synthetic market, so the same picture comes out again.
"""

import sys
import tempfile
import threading
from pathlib import Path

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent))  # for the browser of the tests

from PIL import Image  # noqa: E402  # it comes with matplotlib

from dataflows.assembly.in_process import replay_in_process  # noqa: E402
from dataflows.assembly.recorded_quality import judge_tape  # noqa: E402
from dataflows.assembly.recorded_window import recording  # noqa: E402
from dataflows.assembly.synthetic_tape import START_NS, write_synthetic_tape  # noqa: E402
from dataflows.runtime.caller import Caller  # noqa: E402
from dataflows.settings.model import settings_from  # noqa: E402
from sources.instrument import Instrument  # noqa: E402
from tests.window.chromium import chromium  # noqa: E402
from window.server import WindowServer  # noqa: E402

INSTRUMENTS = [Instrument(v, f"{b}USDT") for v in ("binance_futures", "bybit_linear") for b in ("BTC", "ETH", "SOL")]
SPAN_NS = 240_000_000_000


def main() -> None:
    """Make a tape, show it, and take the picture."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_synthetic_tape(root / "tape", INSTRUMENTS, SPAN_NS, 7, start_ns=START_NS)
        settings = settings_from({"tape.path": str(root / "tape"), "features.path": str(root / "features")})
        replay_in_process(settings, Caller(print, frame=False, progress=False))
        shown = recording(settings)
        shown.read_overview()
        judge_tape(settings, shown, threading.Event())
        server = WindowServer(shown, "127.0.0.1", 0)
        try:
            with chromium(root / "profile", "--window-size=1500,1250") as page:
                page.open(server.url)
                page.until("window.tickwax?.store.of('features').length > 1000", 60)
                page.driver.execute_script("window.tickwax.player.seek(window.tickwax.view.now + 140000)")
                page.until("document.getElementById('clock').textContent.length > 0")
                page.driver.execute_async_script("setTimeout(arguments[arguments.length - 1], 1500)")
                page.driver.save_screenshot(str(root / "window.png"))
            # A third of the bytes, and the same to the eye.
            Image.open(root / "window.png").convert("RGB").quantize(128).save(FOLDER / "window.png", optimize=True)
        finally:
            server.close()


if __name__ == "__main__":
    main()
