"""Names of venues, for whoever needs no more than these."""

VENUES = ("binance_futures", "binance_spot")  # whose frames cryptofeed captures hold, as far as is read
CAPTURED = (*VENUES, "bybit_linear")  # the same of hftbacktest's collector
