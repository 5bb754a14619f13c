"""What Binance's futures and spot markets share."""
