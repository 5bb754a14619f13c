"""Names of the venues that can be connected to, for whoever needs no more than these."""

LIVE_VENUES = ("binance_futures", "bybit_linear", "okx_swap")

# Written from documentation and never tried against the exchange itself.
EXPERIMENTAL = ("okx_swap",)
