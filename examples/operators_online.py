"""The operators of notebooks, fed book by book: the same bits as the columns of a replay."""

import tempfile

import numpy as np

import tickwax as tw

with tempfile.TemporaryDirectory() as folder:
    tape = tw.synthetic_tape(f"{folder}/tape", span="30s")
    replayed = tw.replay(tape, sampling="update", windows=["1s"], depths=[1])["ofi_l0"].to_numpy()

    ofi = tw.OrderFlowImbalance(timeframes_ms=[1000], depths=[1])
    fdi = tw.FractalDimensionIndex(window=30)
    online, dimensions = [], []
    for book in tw.books(tape, sampling="update"):
        ms = book.ts.astype(np.int64) / 1e6
        row = ofi.update("BTCUSDT", ms, book.bid_price, book.bid_size, book.ask_price, book.ask_size)
        online.append(row.ofi_level_0)
        dimensions.append(fdi.update(book.mid))

# The first update has no book before it: the class gives its volume imbalance there, the replay 0.
same = np.array_equal(online[1:], replayed[1:])
print(f"{len(online)} updates, {'the same bits' if same else 'not the same'} as the replay")
print(f"fractal dimension of the last 30 mids: {dimensions[-1]:.3f}")
