"""How much of a price change its order flow explains: Cont, Kukanov & Stoikov 2014, section 3."""

import tempfile

import numpy as np

import tickwax as tw

with tempfile.TemporaryDirectory() as folder:
    tape = tw.synthetic_tape(f"{folder}/tape", span="10m")
    frame = tw.replay(tape, sampling="1s", depths=[1, 5, 10], as_="pandas")

change = frame["mid"].diff().to_numpy()[1:]
for column in ("ofi_l0", "ofi_l5", "ofi_l10"):
    flow = frame[column].to_numpy()[1:]  # of the same second
    slope, intercept = np.polyfit(flow, change, 1)
    r2 = np.corrcoef(flow, change)[0, 1] ** 2
    ahead = np.corrcoef(flow[:-1], change[1:])[0, 1] ** 2
    print(f"{column:8} slope {slope:8.4f} a BTC  R² {r2:6.1%} of the same second, {ahead:6.2%} of the next")
