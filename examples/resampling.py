"""Bars of one's own length from rows of 100 ms: prices, flow and volume of each, for every instrument."""

import tempfile

import polars as pl

import tickwax as tw

with tempfile.TemporaryDirectory() as folder:
    symbols = ["binance_futures:BTCUSDT", "binance_futures:ETHUSDT"]
    tape = tw.synthetic_tape(f"{folder}/tape", symbols=symbols, span="5m")
    frame = tw.replay(tape, as_="polars")

bars = (
    frame.with_columns(pl.col("symbol").cast(pl.String))
    .group_by_dynamic("ts", every="1m", group_by="symbol")
    .agg(
        pl.col("mid").first().alias("open"),
        pl.col("mid").max().alias("high"),
        pl.col("mid").min().alias("low"),
        pl.col("mid").last().alias("close"),
        pl.col("ofi_l5").sum().alias("flow"),  # flows and volumes of rows add up
        pl.col("trade_volume").sum().alias("volume"),
        (pl.col("vwap").fill_nan(0) * pl.col("trade_volume")).sum().alias("turnover"),
    )
    .with_columns((pl.col("turnover") / pl.col("volume")).alias("vwap"))
)
print(bars)
