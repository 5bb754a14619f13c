"""Draws `docs/market.gif`, the README's moving picture, from the synthetic market: ``python docs/animation.py``."""

import argparse
import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from PIL import Image  # comes with Matplotlib

import tickwax as tw

SPAN, STEP = "50s", 0.5  # of the market, and seconds between two frames
SHOWN = 60  # rows of the market in a frame
TICK, AROUND = 0.1, 24  # of the price, and ticks of the depth map on each side of the middle
COLOURS = 40
UP, DOWN, INK, GROUND = "#26a69a", "#ef5350", "#d5dbe3", "#11161d"


def market() -> tuple[tw.BookArrays, dict[str, Any]]:
    """Books and features of one market, row by row."""
    with tempfile.TemporaryDirectory() as folder:
        tape = tw.synthetic_tape(Path(folder, "tape"), symbols="binance_futures:BTCUSDT", span=SPAN, seed=5)
        books = tw.book_arrays(tape, sampling="500ms")
        frame = tw.replay(tape, sampling="500ms", fdi_window=20)
    return books, {name: frame[name].to_numpy() for name in ("mid", "ofi_l5_5s")}


def depth_map(books: tw.BookArrays, rows: slice, middle: float) -> np.ndarray:
    """Sizes by tick and row, bids above 0 and asks below."""
    grid = np.zeros((2 * AROUND + 1, rows.stop - rows.start))
    for prices, sizes, sign in ((books.bid_price, books.bid_size, 1), (books.ask_price, books.ask_size, -1)):
        tick = np.rint((prices[rows] - middle) / TICK) + AROUND
        known = np.isfinite(tick) & (tick >= 0) & (tick < len(grid))
        row, _ = np.nonzero(known)
        np.add.at(grid, (tick[known].astype(int), row), sign * sizes[rows][known])
    return grid


def picture(books: tw.BookArrays, features: dict[str, Any], last: int) -> Image.Image:
    """The market up to a row."""
    rows = slice(last - SHOWN + 1, last + 1)
    mid = features["mid"]
    middle = round(mid[rows].mean() / TICK) * TICK
    figure = Figure(figsize=(8, 4), dpi=90, facecolor=GROUND)
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        2, 2, width_ratios=(3, 1), height_ratios=(3, 1), left=0.07, right=0.98, bottom=0.11, top=0.93, hspace=0.25
    )
    price, ladder, flow = (figure.add_subplot(grid[at]) for at in ((0, 0), (slice(0, 2), 1), (1, 0)))
    low, high = ((side * AROUND - 0.5 * abs(side)) * TICK + middle for side in (-1, 1))
    seconds = (np.arange(SHOWN) - SHOWN + 1) * STEP
    sizes = depth_map(books, rows, middle)
    colours = LinearSegmentedColormap.from_list("depth", [DOWN, GROUND, UP])
    price.imshow(
        np.sign(sizes) * np.sqrt(np.abs(sizes)), cmap=colours, vmin=-2, vmax=2, aspect="auto", origin="lower",
        extent=(seconds[0], seconds[-1], low, high), interpolation="nearest",
    )  # fmt: skip
    price.plot(seconds, mid[rows], color="white", linewidth=1.6)
    price.set(title="order book and mid", ylim=(low, high), xticks=[])
    for prices, depth, colour in (
        (books.bid_price[last], books.bid_size[last], UP),
        (books.ask_price[last], books.ask_size[last], DOWN),
    ):
        ladder.barh(prices, depth, height=0.8 * TICK, color=colour)
    ladder.set(title="sizes", xlim=(0, 4), ylim=(mid[last] - 14 * TICK, mid[last] + 14 * TICK))
    pressure = features["ofi_l5_5s"][rows]
    flow.bar(seconds, pressure, width=STEP, color=np.where(pressure > 0, UP, DOWN))
    flow.set(title="order flow of 5 s", xlabel="seconds", ylim=(-45, 45))
    for axes in (price, ladder, flow):
        axes.set_facecolor(GROUND)
        axes.title.set(color=INK, fontsize=9)
        axes.xaxis.label.set(color=INK, fontsize=8)
        axes.tick_params(colors=INK, labelsize=7)
        axes.ticklabel_format(axis="y", useOffset=False)
        for spine in axes.spines.values():
            spine.set_color("#39424e")
    held = io.BytesIO()
    figure.savefig(held, format="png")
    return Image.open(held).convert("RGB")


def main() -> None:
    parser = argparse.ArgumentParser(description="Draws the moving picture of the README.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "market.gif")
    parser.add_argument("--frames", type=int, help="the first ones only")
    given = parser.parse_args()
    books, features = market()
    lasts = range(SHOWN, len(books.ts))[: given.frames]
    frames = [picture(books, features, last) for last in lasts]
    palette = frames[len(frames) // 2].quantize(COLOURS)  # one for all: what does not move is not stored again
    few = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    few[0].save(given.out, save_all=True, append_images=few[1:], duration=150, loop=0, optimize=True)


if __name__ == "__main__":
    main()
