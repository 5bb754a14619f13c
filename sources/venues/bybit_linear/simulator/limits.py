"""Limits of Bybit V5 linear."""

from dataclasses import dataclass

from simulator.limits import Limits


@dataclass(frozen=True)
class BybitLimits(Limits):
    """The published limits.

    Exchange documentation, "Connect": at most 21 000 characters of args a connection, 500 connects in 5 minutes; "Rate
    limit": 600 requests in 5 s, then 403 for 10 minutes.
    """

    connects: int = 500  # in 5 minutes
    args_characters: int = 21_000
    requests: int = 600  # in 5 s
    ban_s: int = 600
