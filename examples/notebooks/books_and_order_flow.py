import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Books and order flow")

with app.setup:
    import tempfile

    import marimo as mo
    import numpy as np
    from matplotlib.figure import Figure

    import tickwax as tw


@app.cell(hide_code=True)
def _():
    mo.md("""
    # Books and order flow

    A market is a book of orders that changes thousands of times a minute. This notebook looks at one book, and
    then asks how much of a price change its order flow explains: Cont, Kukanov & Stoikov 2014.

    For a recording of your own: `marimo edit books_and_order_flow.py -- --tape data/tape --symbol
    bybit_linear:BTCUSDT`. Without one, the market is **synthetic**, and what is found in it was put there.
    """)
    return


@app.cell
def _():
    given = mo.cli_args()
    folder = tempfile.TemporaryDirectory()
    synthetic = given.get("tape") is None
    tape = tw.synthetic_tape(f"{folder.name}/tape", span="3m") if synthetic else given.get("tape")
    symbol = given.get("symbol")
    mo.md("The market is **synthetic**." if synthetic else f"The market is that of `{tape}`.")
    return folder, symbol, synthetic, tape


@app.cell(hide_code=True)
def _():
    mo.md("""
    ## One book

    `tw.books` gives the books of a tape one by one. Here is the last one: how much could be sold and bought, down
    to each price. The gap in the middle is the spread.
    """)
    return


@app.cell
def _(symbol, tape):
    *_, book = tw.books(tape, symbol, sampling="1s")
    depth = Figure(figsize=(8, 3), layout="constrained")
    _axes = depth.add_subplot(xlabel="price", ylabel="size, summed", title=f"{book.ts:} UTC"[:19] + " UTC")
    _axes.step(book.bid_price, np.cumsum(book.bid_size), color="#2ca02c", where="post", label="bids")
    _axes.step(book.ask_price, np.cumsum(book.ask_size), color="#d62728", where="post", label="asks")
    _axes.legend(frameon=False)
    depth
    return book, depth


@app.cell(hide_code=True)
def _():
    mo.md("""
    ## Order flow

    Order flow imbalance counts what is added to the bids and taken from the asks, less the opposite: the pressure
    on the price. `tw.replay` computes it, level by level and window by window. Each point below is a second.
    """)
    return


@app.cell
def _(symbol, tape):
    frame = tw.replay(tape, symbols=symbol, sampling="1s")
    change = np.diff(frame["mid"].to_numpy())
    flow = frame["ofi_l0"].to_numpy()[1:]
    slope, intercept = np.polyfit(flow, change, 1)
    scatter = Figure(figsize=(8, 3), layout="constrained")
    _axes = scatter.add_subplot(xlabel="order flow of the best level, base currency", ylabel="change of the mid")
    _axes.plot(flow, change, ".", markersize=3)
    _axes.plot(_ends := np.array([flow.min(), flow.max()]), intercept + slope * _ends, color="#ff7f0e")
    scatter
    return change, frame, scatter


@app.cell(hide_code=True)
def _():
    mo.md("""
    ## The same second, and the next

    R² is the share of the price's variance that the flow explains. In the same second it is large: flow and price
    are two sides of one thing. In the next second there is little left, and that is what a forecast has to live
    on.
    """)
    return


@app.cell
def _(change, frame):
    def explained(flow, moves):
        return np.corrcoef(flow, moves)[0, 1] ** 2

    depths = (0, 5, 10, 20)
    flows = [frame[f"ofi_l{d}"].to_numpy()[1:] for d in depths]
    shares = [
        {"levels": d or 1, "same second": explained(f, change), "next second": explained(f[:-1], change[1:])}
        for d, f in zip(depths, flows, strict=True)
    ]
    mo.ui.table(shares, format_mapping={"same second": "{:.1%}", "next second": "{:.1%}"}, selection=None)
    return (shares,)


if __name__ == "__main__":
    app.run()
