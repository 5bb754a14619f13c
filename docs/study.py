"""The worked study: recorded captures → tape → features by tickwax, then the statistics of `docs/study.md`.

    python docs/study.py ../shared/data [--html]

fills the tables of the document and draws its pictures beside it, in some minutes; with ``--html`` also as pages to
explore. The captures are those of hftbacktest (USD-M futures, and a thin spot market); the document has their origin.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
import statsmodels.api as sm
from fill import fill, table
from statsmodels.tsa.stattools import acf

from dataflows.reports.chart_panels import Panel
from dataflows.reports.charts import draw
from operators.fractal import fractal_dimension_index
from sources.instrument import Instrument
from sources.tape.batch import TRADE
from sources.tape.layout import data_files
from sources.tape.reader import TapeReader

FOLDER = Path(__file__).parent
TICKWAX = (sys.executable, "-c", "from dataflows.cli import main; main()")
CAPTURES = {
    Instrument("binance_futures", "BTCUSDT"): ["binance_usdm/btcusdt_20240808.gz"],
    Instrument("binance_futures", "ETHUSDT"): ["binance_usdm/ethusdt_20240808.gz"],
    Instrument("binance_spot", "NEXOUSDT"): [
        "binance_spot/nexousdt_20240723.dat.gz",
        "binance_spot/nexousdt_20240724.dat.gz",
    ],
}
LEVELS = range(1, 11)
DEPTHS = (*LEVELS, 20)
STEPS = ("100ms", "1s", "10s", "60s")
SECONDS = {"100ms": 0.1, "1s": 1.0, "10s": 10.0, "60s": 60.0}
INTERVALS = {"BTCUSDT": ("1s", "10s"), "ETHUSDT": ("1s", "10s"), "NEXOUSDT": ("1s", "10s", "60s")}
SHUFFLES = 200
FORECAST = 5  # rows ahead
WINDOW = 30  # of the fractal dimension


class Market(NamedTuple):
    """Features of one instrument by sampling step, and what scales them."""

    name: str
    features: dict[str, dict[str, np.ndarray]]
    orders: dict[str, dict[str, float | str]]  # row of `optimal-d` by step, price series
    tick: float
    depth: float  # mean size of the best level
    reach: float  # mean distance of the tenth level from the best, ticks


def tickwax(*arguments: object, **settings: object) -> None:
    """Run a verb as a user does."""
    environment = {f"TICKWAX_{key.upper()}": str(value) for key, value in settings.items()}
    subprocess.run([*TICKWAX, *map(str, arguments)], check=True, env={**os.environ, **environment}, stdout=2)


def prepare(data: Path, folder: Path) -> Iterator[Market]:
    """Import, choose d, compute features at every step."""
    for instrument, names in CAPTURES.items():
        files = [data / name for name in names]
        flags = ("--venue", instrument.venue, "--symbol", instrument.symbol)
        tickwax("import", "hftbacktest", *files, *flags, "--tape", folder / "tape")
    for step in STEPS:
        tickwax(
            "optimal-d", "--tape", folder / "tape", "--sampling", step, "--out", folder / f"d_{step}.parquet",
        )  # fmt: skip
        tickwax(
            "replay", "--tape", folder / "tape", "--features", folder / step, "--sampling", step,
            features__depths=str(list(DEPTHS)), features__fdi_interval="1s" if SECONDS[step] <= 1 else step,
            features__d_file=folder / f"d_{step}.parquet", features__max_hold="600s",
            books__path=folder / "books" if step == "1s" else "",
        )  # fmt: skip
    for instrument in CAPTURES:
        features, orders = {}, {}
        for step in STEPS:
            parts = [pq.ParquetFile(f).read() for f in data_files(folder / step, instrument)]
            columns = parts[0].column_names
            features[step] = {n: np.concatenate([p[n].to_numpy() for p in parts]) for n in columns if n != "regime"}
            rows = pq.read_table(folder / f"d_{step}.parquet").to_pylist()
            orders[step] = next(r for r in rows if r["symbol"] == instrument.symbol and r["series"] == "price")
        prices: set[float] = set()
        for batch in TapeReader(folder / "tape", instrument).batches():
            prices.update(np.unique(batch.price[batch.kind != TRADE]).tolist())
        tick = float(np.round(np.diff(np.sort(list(prices))).min(), 8))
        best = features["100ms"]
        depth = float(np.mean(best["bid_size"] + best["ask_size"]) / 2)
        books = [
            pq.ParquetFile(f).read(["bid_price_0", "bid_price_9"]) for f in data_files(folder / "books", instrument)
        ]
        reach = np.concatenate([b["bid_price_0"].to_numpy() - b["bid_price_9"].to_numpy() for b in books]) / tick
        yield Market(instrument.symbol, features, orders, tick, depth, float(np.nanmean(reach)))


def flows(market: Market, step: str) -> np.ndarray:
    """Order flow of levels 1 to 10 an interval, in mean sizes of the best level; shape ``(10, rows)``, first row left
    out: it counts from the start of the tape."""
    f = market.features[step]
    cumulative = np.array([f["ofi_l0" if level == 1 else f"ofi_l{level}"] for level in LEVELS])
    return np.diff(cumulative, axis=0, prepend=0.0)[:, 1:] / market.depth


def moves(market: Market, step: str) -> np.ndarray:
    """Change of mid an interval, in ticks."""
    return np.diff(market.features[step]["mid"]) / market.tick


def fit(y: np.ndarray, x: np.ndarray, lags: int | None = None) -> sm.regression.linear_model.RegressionResults:
    """Least squares with a constant; errors by Newey & West 1987."""
    lags = lags if lags is not None else int(4 * (len(y) / 100) ** (2 / 9)) + 1
    return sm.OLS(y, sm.add_constant(np.atleast_2d(x.T).T)).fit(cov_type="HAC", cov_kwds={"maxlags": lags})


def out_of_sample(y: np.ndarray, x: np.ndarray) -> float:
    """R² on the second half of a fit to the first, against the forecast of no change."""
    half = len(y) // 2
    x = sm.add_constant(np.atleast_2d(x.T).T, has_constant="add")
    beta = np.linalg.lstsq(x[:half], y[:half], rcond=None)[0]
    return float(1 - np.sum((y[half:] - x[half:] @ beta) ** 2) / np.sum(y[half:] ** 2))


def integrated(levels: np.ndarray) -> np.ndarray:
    """First principal component of the levels' flow, its weights found on the first half and summing to 1 in absolute
    value (Cont, Cucuringu & Zhang 2023, section 2.2)."""
    half = levels.shape[1] // 2
    first = np.linalg.svd(levels[:, :half] - levels[:, :half].mean(axis=1, keepdims=True), full_matrices=False)[0][:, 0]
    return (first / np.abs(first).sum() * np.sign(first.sum())) @ levels


def contemporaneous(markets: Sequence[Market]) -> tuple[str, str]:
    """Mid change on flow of the same interval: per depth, and by all levels at once."""
    single, several = [], []
    for market in markets:
        for step in INTERVALS[market.name]:
            y, levels = moves(market, step), flows(market, step)
            deep = market.features[step]["ofi_l20"][1:] / market.depth
            name = f"{market.name} {step}"
            line: list[object] = [name, len(y)]
            for x in (levels[0], levels[:5].sum(axis=0), levels.sum(axis=0), deep):
                r = fit(y, x)
                line += [f"{r.rsquared:.2f}", f"{r.params[1]:.3g} ± {r.bse[1]:.2g}"]
            single.append(line)
            line = [name]
            for x in (levels[0], levels.T, integrated(levels)):
                r = fit(y, x)
                line += [f"{r.rsquared_adj:.2f}", f"{out_of_sample(y, x):.2f}"]
            several.append(line)
    head = ["", "n"]
    for depth in (1, 5, 10, 20):
        head += [f"R², {depth} level{'s' * (depth > 1)}", "slope"]
    names = ("level 1", "ten levels", "integrated")
    return table(head, single), table(["", *(f"{n}: {w}" for n in names for w in ("R²", "second half"))], several)


def forward(markets: Sequence[Market]) -> tuple[str, list[Panel]]:
    """R² of the mid's change over the next h on the flow of the last w, w = 1 s for futures and 10 s for spot."""
    rows, panels = [], []
    for market in markets:
        step = "100ms" if market.name != "NEXOUSDT" else "1s"
        window = 10  # rows
        f = market.features[step]
        mid, flow = f["mid"] / market.tick, f["ofi_l0"] / market.depth
        past = np.convolve(flow, np.ones(window), "valid")[1:]  # the first row counts from the start of the tape
        at = np.arange(window, len(mid))
        line: list[object] = [f"{market.name}, last {SECONDS[step] * window:g} s"]
        horizons = [1, 2, 5, 10, 20, 50, 100, 300]
        inside, outside = [], []
        for h in horizons:
            there = at[at + h < len(mid)]
            y, x = mid[there + h] - mid[there], past[there - window]
            r = fit(y, x, lags=h + window)
            inside.append(r.rsquared)
            outside.append(out_of_sample(y, x))
            line.append(f"{r.rsquared:.3f} ({r.tvalues[1]:+.1f}) {outside[-1]:+.3f}")
            if h == FORECAST:
                forecast = np.std(r.fittedvalues)
        rows.append([*line, f"{forecast:.2g}"])
        seconds = np.array(horizons) * SECONDS[step]
        curves = [("whole sample", seconds, inside), ("second half, fitted to the first", seconds, outside)]
        panels.append(Panel(market.name, "horizon, s", "R²", curves, [("", 0.0)]))
    heads = [f"{h} row{'s' * (h > 1)}" for h in horizons]
    return table(["", *heads, f"forecast's sd at {FORECAST} rows, ticks"], rows), panels


def memory(markets: Sequence[Market]) -> tuple[str, list[Panel]]:
    """Autocorrelation of price_ffd against returns."""
    rows, panels = [], []
    for market in markets:
        step = "100ms" if market.name != "NEXOUSDT" else "10s"
        f, order = market.features[step], market.orders[step]
        ffd = f["price_ffd"][~np.isnan(f["price_ffd"])]
        log_mid = np.log(f["mid"])
        returns = np.diff(log_mid)
        lags = min(100, len(ffd) // 4)
        both = {"price_ffd": acf(ffd, nlags=lags), "returns": acf(returns, nlags=lags)}
        rows.append(
            [
                f"{market.name} {step}",
                f"{order['d']:.3f}",
                f"{order['adf_stat']:.2f}",
                f"{order['adf_pvalue']:.3f}",
                f"{order['memory_retained']:.3f}",
                len(ffd),
                *(f"{both[s][k]:+.2f}" for s in both for k in (1, 10, lags)),
                f"±{2 / np.sqrt(len(ffd)):.2f}",
            ]
        )
        curves = [(name, np.arange(lags + 1), values) for name, values in both.items()]
        panels.append(Panel(f"{market.name}, {step} rows, d = {order['d']:.2f}", "lag, rows", "", curves, [("", 0.0)]))
    head = [
        "",
        "d",
        "ADF",
        "p",
        "correlation",
        "rows",
        "ffd: lag 1",
        "10",
        "100",
        "returns: lag 1",
        "10",
        "100",
        "2 se",
    ]
    return table(head, rows), panels


def regimes(markets: Sequence[Market]) -> tuple[str, list[list[Panel]]]:
    """Mean dimension, share of trending windows and whether it lasts, beside the same returns in random order."""
    random = np.random.default_rng(1)
    rows, panels = [], []
    for market in markets:
        step = "1s" if market.name != "NEXOUSDT" else "60s"
        f = market.features[step]
        mid = f["mid"]
        walks = [np.append(0.0, random.permutation(np.diff(mid)).cumsum()) for _ in range(SHUFFLES)]
        for name, estimate in ESTIMATORS.items():
            observed = _regime(estimate(mid))
            shuffled = np.array([_regime(estimate(walk)) for walk in walks])
            line: list[object] = [f"{market.name}, {len(mid)} samples of {step}: {name}"]
            for i in range(3):
                line += [f"{observed[i]:.2f}", f"{np.mean(shuffled[:, i]):.2f} ± {np.std(shuffled[:, i]):.2f}"]
            rows.append(line)
        times = f["ts"].astype("datetime64[ns]")[WINDOW - 1 :]
        keep = slice(None, None, max(1, len(times) // 1500))
        curves = [(name, times[keep], ESTIMATORS[name](mid)[keep]) for name in ("variogram", "madogram")]
        panels.append(
            [
                Panel(market.name, "", "mid", [("mid", times[keep], mid[WINDOW - 1 :][keep])]),
                Panel(f"fdi, window of {WINDOW}", "", "", curves, [("random walk", 1.5)]),
            ]
        )
    head = ["", "mean fdi", "shuffled", "trending", "shuffled", f"fdi now and {WINDOW} on", "shuffled"]
    return table(head, rows), panels


ESTIMATORS = {
    method: lambda x, method=method: fractal_dimension_index(x, WINDOW, method)[WINDOW - 1 :]
    for method in ("variogram", "madogram", "sevcik")
}


def _regime(d: np.ndarray) -> tuple[float, float, float]:
    """Mean dimension, share below 1.5, correlation of one window's with that of the next that shares no return."""
    return float(d.mean()), float((d < 1.5).mean()), float(np.corrcoef(d[:-WINDOW], d[WINDOW:])[0, 1])


def scatter(markets: Sequence[Market]) -> list[Panel]:
    """Mid change against flow of the best level."""
    panels = []
    for market in markets:
        step = "1s" if market.name != "NEXOUSDT" else "60s"
        y, x = moves(market, step), flows(market, step)[0]
        r = fit(y, x)
        ends = np.array([x.min(), x.max()])
        curves = [("· an interval", x, y), (f"R² = {r.rsquared:.2f}", ends, r.params[0] + r.params[1] * ends)]
        panels.append(Panel(f"{market.name}, {step}", "OFI, mean best sizes", "mid change, ticks", curves))
    return panels


def by_depth(markets: Sequence[Market]) -> list[Panel]:
    """R² against the number of levels summed."""
    panels = []
    for market in markets:
        curves = []
        for step in INTERVALS[market.name]:
            y, levels = moves(market, step), flows(market, step)
            r2 = [fit(y, levels[:depth].sum(axis=0)).rsquared for depth in LEVELS]
            curves.append((step, np.array(LEVELS), np.array(r2)))
        panels.append(Panel(market.name, "levels", "R²", curves))
    return panels


def data_table(markets: Sequence[Market]) -> str:
    """What there is."""
    rows = []
    for market in markets:
        f = market.features["1s"]
        hours = (int(f["ts"][-1]) - int(f["ts"][0])) / 3.6e12
        still = [f"{np.mean(np.diff(market.features[s]['mid']) == 0):.0%}" for s in STEPS[:3]]
        spread = np.mean(f["spread"]) / market.tick
        trades = f"{int(f['trade_count'].sum()):,}"
        rows.append(
            [
                market.name,
                f"{hours:.2f}",
                f"{market.tick:g}",
                f"{spread:.1f}",
                f"{market.depth:.3g}",
                f"{market.reach:.0f}",
                trades,
                *still,
            ]
        )
    head = [
        "",
        "hours",
        "tick",
        "spread, ticks",
        "best size",
        "level 10, ticks away",
        "trades",
        *(f"mid still, {s}" for s in STEPS[:3]),
    ]
    return table(head, rows)


def main() -> None:
    """Compute everything and put it into the document."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("data", type=Path, help="folder of the captures")
    arguments.add_argument("--html", action="store_true", help="draw pages of the pictures as well")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        markets = list(prepare(chosen.data, Path(folder)))
    single, several = contemporaneous(markets)
    ahead, ahead_panels = forward(markets)
    remembered, memory_panels = memory(markets)
    shares, regime_panels = regimes(markets)
    blocks = {"data": data_table(markets), "single": single, "several": several, "forward": ahead}
    blocks |= {"memory": remembered, "regimes": shares}
    fill(FOLDER / "study.md", blocks)
    pictures = {
        "impact": [scatter(markets), by_depth(markets)],
        "forward": [ahead_panels],
        "memory": [memory_panels],
        "regimes": regime_panels,
    }
    for name, panels in pictures.items():
        for suffix in (".png", ".html") if chosen.html else (".png",):
            draw(FOLDER / f"study-{name}{suffix}", panels)


if __name__ == "__main__":
    main()
