"""Bybit V5 linear in the simulated exchange."""
