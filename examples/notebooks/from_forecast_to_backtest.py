import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="From forecast to backtest")

with app.setup:
    import os
    import subprocess
    import sys
    import tempfile
    from pathlib import Path

    import marimo as mo
    import polars as pl
    from matplotlib.figure import Figure

    SYMBOL = "okx_swap:A-USDT-SWAP"
    COLUMNS = "ofi_l5_1s,ofi_l5_5s,trade_imbalance_1s,trade_imbalance_5s,volatility"

    def tickwax(*words):
        """A command of tickwax; what it prints."""
        command = [sys.executable, "-c", "from dataflows.cli import main; main()", *map(str, words)]
        around = {**os.environ, "TICKWAX_FEATURES__WINDOWS": '["1s", "5s"]'}
        return subprocess.run(command, check=True, capture_output=True, text=True, env=around).stdout


@app.cell(hide_code=True)
def _():
    mo.md("""
    # From forecast to backtest

    A forecast can be right and still lose money. Here is the whole way, on a **synthetic** market in which a
    forecast is possible because `--edge 1` has put it there: one day to learn from, and another that the model
    has never seen. With a real recording, take two tapes, or one cut in two by `--start` and `--end`.
    """)
    return


@app.cell
def _():
    folder = tempfile.TemporaryDirectory()
    at = Path(folder.name)
    tickwax("synth", "--symbols", SYMBOL, "--edge", 1, "--span", "6m", "--tape", at / "monday")
    later = ("--start", "2026-01-06", "--seed", 8)
    tickwax("synth", "--symbols", SYMBOL, "--edge", 1, "--span", "3m", "--tape", at / "tuesday", *later)
    return at, folder


@app.cell(hide_code=True)
def _():
    mo.md("""
    ## Features, labels, a model

    Features of each 100 ms; beside each row what the price did next; a ridge regression of one on the other.
    `train` keeps the newest rows back and tells how well it does on them.
    """)
    return


@app.cell
def _(at):
    tickwax("replay", "--tape", at / "monday", "--features", at / "features")
    data = ("--tape", at / "monday", "--features", at / "features", "--columns", COLUMNS)
    tickwax("dataset", *data, "--horizons", "1s,5s", "--barrier", "5s", "--out", at / "labels")
    learnt = tickwax("train", "ridge", "--dataset", at / "labels", "--out", at / "ridge")
    mo.plain_text(learnt)
    return (learnt,)


@app.cell(hide_code=True)
def _():
    mo.md("""
    ## Tuesday

    The strategy `momentum` buys where the median forecast of the next 5 seconds is above one basis point, sells
    where it is below minus one, and goes flat when it fades. Orders take 10 ms to arrive, pay the spread and the
    taker's fee.
    """)
    return


@app.cell
def _(at, learnt):
    assert learnt
    rule = ("--param", "column=forecast_q50_5s", "--param", "enter=1e-4", "--param", "leave=2e-5")
    flags = ("--strategy", "momentum", "--param", "size=1", *rule, "--model", at / "ridge")
    tickwax("backtest", "--tape", at / "tuesday", *flags, "--out", at / "run")
    equity = pl.read_parquet(at / "run/equity/**/*.parquet").sort("ts")
    fills = pl.read_parquet(at / "run/fills/**/*.parquet").sort("ts")
    equity = equity.with_columns(before_fees=pl.col("equity") + pl.col("fees"))
    return equity, fills


@app.cell
def _(equity, fills):
    account = Figure(figsize=(8, 4.5), layout="constrained")
    _top, _bottom = account.subplots(2, 1, sharex=True)
    _top.plot(equity["ts"], equity["mid"], linewidth=0.8)
    for _side, _mark, _colour in ((1, "^", "#2ca02c"), (-1, "v", "#d62728")):
        _own = fills.filter(pl.col("side") == _side)
        _top.plot(_own["ts"], _own["price"], _mark, color=_colour, markersize=4)
    _top.set_title("mid and fills", fontsize=9)
    _bottom.plot(equity["ts"], equity["before_fees"], label="before fees")
    _bottom.plot(equity["ts"], equity["equity"], label="after fees")
    _bottom.axhline(0, color="grey", linewidth=0.8)
    _bottom.legend(frameon=False)
    _bottom.set_title("profit, quote currency", fontsize=9)
    account
    return (account,)


@app.cell
def _(equity, fills):
    profit, before = equity["equity"][-1], equity["before_fees"][-1]
    mo.md(f"""
    {len(fills)} fills: **{before:+.2f}** before fees, **{profit:+.2f}** after. The forecast is worth something,
    and less than two market orders cost. Whether it would be worth more with resting orders is a question for
    `glft` or `peg`; whether it is skill at all, for `tickwax evaluate`; and on a market without an edge (`--edge
    0`) all of it should vanish.
    """)
    return before, profit


if __name__ == "__main__":
    app.run()
