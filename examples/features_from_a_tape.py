"""Every feature of a tape as a frame, and what its columns mean."""

import tempfile

import polars as pl

import tickwax as tw

with tempfile.TemporaryDirectory() as folder:
    tape = tw.synthetic_tape(f"{folder}/tape", symbols=["binance_futures:BTCUSDT", "bybit_linear:BTCUSDT"], span="2m")
    frame = tw.replay(tape, sampling="1s", as_="polars")

print(f"{frame.height} rows of {frame.width} columns")
print(frame.group_by("exchange").agg(pl.col("spread").mean(), pl.col("trade_volume").sum()).sort("exchange"))

# Rows before a feature has its whole history are told by the bits of `warm`.
warm = tw.features_dictionary(as_="polars").select("column", "unit", "definition", "warm")
bits = warm.filter(pl.col("column") == "volatility")["warm"].item()
known = frame.filter(pl.col("warm") & bits == bits)
print(f"volatility is known in {known.height} rows, and is {known['volatility'].mean():.2e} a second on average")
print(warm.filter(pl.col("column").str.starts_with("ofi_z")).head(3))
