"""Order books one by one: how wide the spread is, how deep the book, and how often which side is the larger."""

import tempfile
from collections import Counter

import tickwax as tw

TICK = 0.1

ticks: Counter[int] = Counter()
depth = 0.0
heavier_bids = books = 0
with tempfile.TemporaryDirectory() as folder:
    tape = tw.synthetic_tape(f"{folder}/tape", span="1m")
    for book in tw.books(tape, sampling="update", levels=5):
        ticks[round(book.spread / TICK)] += 1
        bids, asks = book.bid_size.sum(), book.ask_size.sum()
        depth += bids + asks
        heavier_bids += bool(bids > asks)
        books += 1

for spread, count in sorted(ticks.items()):
    print(f"spread of {spread} ticks: {count / books:6.1%}")
print(f"mean size on five levels of both sides: {depth / books:.2f} BTC")
print(f"more bids than asks: {heavier_bids / books:.1%} of {books} books")
