"""Names of the venues and what the features need to know of each, without loading their decoders."""

LIVE_VENUES = ("binance_futures", "bybit_linear", "okx_swap")

VENUES = (*LIVE_VENUES, "binance_spot")  # of which a tape may be, recorded or imported

# Written from documentation and never tried against the exchange itself.
EXPERIMENTAL = ("okx_swap",)

# Their book has a fixed depth, in which every level is known. Binance sends the changes of a whole book after a
# snapshot of its best levels; what lies beyond is unknown.
FIXED_DEPTH = ("bybit_linear", "okx_swap")
