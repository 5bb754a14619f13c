import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Choosing d")

with app.setup:
    import tempfile

    import marimo as mo
    import numpy as np
    from matplotlib.figure import Figure

    import tickwax as tw


@app.cell(hide_code=True)
def _():
    mo.md("""
    # Choosing d

    Prices are not stationary, so a model cannot learn from them. Returns are, but they have forgotten where the
    price came from. A **fractional difference** lies between: of order d = 0 it is the price, of order 1 the
    return, and the smallest order that is stationary keeps the most memory (López de Prado 2018, chapter 5).

    For a recording of your own: `marimo edit choosing_d.py -- --tape data/tape --symbol bybit_linear:BTCUSDT`.
    Without one, the market is **synthetic**.
    """)
    return


@app.cell
def _():
    given = mo.cli_args()
    folder = tempfile.TemporaryDirectory()
    tape = given.get("tape") or tw.synthetic_tape(f"{folder.name}/tape", span="30m", seed=11)
    frame = tw.replay(tape, symbols=given.get("symbol"), sampling="1s")
    prices = np.log(frame["mid"].to_numpy())
    mo.md(f"{len(prices):,} seconds of {'a recording' if given.get('tape') else 'the synthetic market'}.")
    return folder, frame, prices


@app.cell(hide_code=True)
def _():
    mo.md("""
    ## The search

    `tw.find_optimal_d` tests a grid of orders with the augmented Dickey–Fuller test, and then narrows the gap
    between the last order that fails and the first that passes. A difference needs a window of values behind it:
    the smaller the order, the longer the window. Orders whose window is longer than the series cannot be tested,
    and no line leads across them.
    """)
    return


@app.cell
def _(prices):
    best = tw.find_optimal_d(prices, threshold=1e-4)
    orders = np.array([trial.d for trial in best.trials])
    pvalues = np.maximum([trial.adf_pvalue for trial in best.trials], 1e-6)
    memory = np.array([trial.memory_retained for trial in best.trials])
    _gaps = np.flatnonzero(np.diff(orders) > 0.051) + 1

    def _drawn(values):
        return np.insert(values.astype(float), _gaps, np.nan)

    search = Figure(figsize=(8, 3), layout="constrained")
    _left, _right = search.subplots(1, 2)
    _left.semilogy(_drawn(orders), _drawn(pvalues), "o-", markersize=3)
    _left.axhline(0.05, color="grey", linestyle="--")
    _left.set(xlabel="order d", ylabel="p-value", title="stationary below the line")
    _right.plot(_drawn(orders), _drawn(memory), "o-", markersize=3)
    _right.set(xlabel="order d", ylabel="correlation", title="memory of the price")
    for _axes in (_left, _right):
        _axes.axvline(best.d, color="grey", linestyle=":")
    search
    return best, search


@app.cell
def _(best):
    mo.md(f"""
    **d = {best.d:.3g}** is {"stationary" if best.is_stationary else "not stationary"} (p =
    {best.adf_pvalue:.2g}), and its correlation with the price is still {best.memory_retained:.2f}. A return's is
    {best.trials[-1].memory_retained:.2f}.
    """)
    return


@app.cell
def _(best, frame, prices):
    shapes = Figure(figsize=(8, 4), layout="constrained")
    for _axes, _name, _values in zip(
        shapes.subplots(3, 1, sharex=True),
        ("log price, d = 0", f"d = {best.d:.3g}", "return, d = 1"),
        (prices, best.series, np.diff(prices, prepend=np.nan)),
        strict=True,
    ):
        _axes.plot(frame["ts"].to_numpy(), _values, linewidth=0.8)
        _axes.set_title(_name, fontsize=9)
    shapes
    return (shapes,)


@app.cell(hide_code=True)
def _():
    mo.md("""
    ## From here

    The order belongs to the time before the test begins: a search that sees all prices looks ahead. On the
    command line `--train-until` holds it to that, and features use what it found:

        tickwax optimal-d --tape data/tape --train-until 2026-01-05T00:10:00Z --out d.parquet --plot d.html
        tickwax replay --d-file d.parquet
    """)
    return


if __name__ == "__main__":
    app.run()
