"""Draws `docs/market.png`, the picture of the README, from the synthetic market: ``python docs/picture.py``, 10 s."""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image  # comes with Matplotlib

import tickwax as tw
from dataflows.reports.chart_panels import Panel
from dataflows.reports.charts import draw

SPAN = "3m"


def panels() -> list[list[Panel]]:
    """Price, order flow, trades and regime of three minutes of the market, second by second."""
    with tempfile.TemporaryDirectory() as folder:
        tape = tw.synthetic_tape(Path(folder, "tape"), symbols="binance_futures:BTCUSDT", span=SPAN)
        frame = tw.replay(tape, sampling="1s")
    ts = frame["ts"].to_numpy()

    def curve(name: str) -> tuple[str, Any, Any]:
        return name, ts, frame[name].to_numpy()

    mid = frame["mid"].to_numpy()

    return [
        [
            Panel("Mid, from its first value", "", "USDT", [("mid", ts, mid - mid[0])]),
            Panel(
                "Order flow of the last 5 s", "", "base units", [curve("ofi_l0_5s"), curve("ofi_l10_5s")], [("", 0.0)]
            ),
        ],
        [
            Panel(
                "Signed trade volume",
                "",
                "base units",
                [curve("trade_imbalance_1s"), curve("trade_imbalance_30s")],
                [("", 0.0)],
            ),
            Panel("Fractal dimension", "", "", [curve("fdi")], [("ranging above, trending below", 1.5)]),
        ],
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Draws the picture of the README.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "market.png")
    out = parser.parse_args().out
    draw(out, panels())
    with Image.open(out) as picture:
        few = picture.convert("RGB").quantize(64)  # colours: a quarter of the size
    few.save(out, optimize=True)
