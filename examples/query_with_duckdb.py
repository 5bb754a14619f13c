"""A data set on disk, read with SQL; its folders are Hive's, so any reader of Parquet knows the instruments."""

import tempfile

import duckdb
import polars as pl

import tickwax as tw

with tempfile.TemporaryDirectory() as folder:
    tape = tw.synthetic_tape(f"{folder}/tape", symbols=["binance_futures:BTCUSDT", "bybit_linear:ETHUSDT"], span="2m")
    path = tw.replay(tape, to=f"{folder}/features", sampling="1s")  # bounded memory, however long the tape is

    files = f"{path}/*/*/*/*.parquet"
    query = f"""
        select symbol, time_bucket(interval 1 minute, ts) as minute, avg(spread) as spread, sum(trade_volume) as volume,
               corr(ofi_l0, mid - lag) as flow_and_change
        from (select *, lag(mid) over (partition by symbol order by ts) as lag
              from read_parquet('{files}', hive_partitioning = true))
        group by all order by all
    """
    print(duckdb.sql(query))

    # Polars reads the same folder; `tw.read_features` does, too, and holds every byte against its checksum.
    lazy = pl.scan_parquet(path, hive_partitioning=True).select("symbol", "mid").group_by("symbol").len().sort("symbol")
    print(lazy.collect())
    print(tw.read_features(path, columns=["ts", "mid"], symbols="bybit_linear:*").num_rows, "rows of one venue")
