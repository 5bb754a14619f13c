"""Trending and ranging stretches by fractal dimension, and how volatile they are."""

import tempfile

import polars as pl

import tickwax as tw

with tempfile.TemporaryDirectory() as folder:
    tape = tw.synthetic_tape(f"{folder}/tape", span="20m")
    frame = tw.replay(tape, sampling="1s", fdi_window=60, as_="polars")

known = frame.filter(pl.col("regime").is_not_null()).with_columns(
    pl.col("regime").cast(pl.String),
    pl.col("mid").log().diff().alias("log_return"),
)
print(
    known.group_by("regime")
    .agg(pl.len().alias("rows"), pl.col("fdi").mean(), pl.col("log_return").std().alias("volatility"))
    .sort("regime")
)
stretches = known.select(pl.col("regime").rle().struct.unnest())
longest = stretches.sort("len").row(-1, named=True)
print(f"{stretches.height} stretches, the longest {longest['len']} s of {longest['value']}")
