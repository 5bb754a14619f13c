"""Binance USD-M futures in the simulated exchange."""
