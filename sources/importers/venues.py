"""Names of venues, for whoever needs no more than these."""

VENUES = ("binance_futures", "binance_spot")  # whose frames hftbacktest and cryptofeed captures hold, as far as is read
