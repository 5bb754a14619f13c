"""Names of the venues that can be connected to, for whoever needs no more than these."""

LIVE_VENUES = ("binance_futures", "bybit_linear")
