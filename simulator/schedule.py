"""Faults at random, from a seed: the same seed makes the same faults, in the same order."""

import random
from collections.abc import Mapping, Sequence

from simulator.faults import Fault, parse_fault
from simulator.venue import SimulatedVenue
from sources.instrument import Instrument

# How often each comes about, in proportion; kinds that hit a whole venue are rarer than those that hit one instrument.
_OF_AN_INSTRUMENT = {
    **{"drop": 8, "silent": 3, "truncate": 3, "garbage": 2, "oversize": 1, "future": 2, "duplicate": 1, "unknown": 2},
    **{
        "retype": 1,
        "zero": 1,
        "renumber": 1,
        "cross": 2,
        "restart": 2,
        "resnapshot": 2,
        "ignore_subscribe": 1,
        "reject_subscribe": 1,
        "repeat_trades": 2,
    },
}
_OF_A_VENUE = {
    **{"bad_utf8": 1, "reset": 2, "close": 2, "burst": 2, "refuse": 1, "shutdown": 1},
    **{"rest_status": 2, "rest_delay": 2, "rest_stale": 2, "rest_truncate": 1},
    **{"rest_future": 1, "rest_renumber": 1, "rest_huge": 1, "rest_loop": 1},
}
_SILENCE_S = (1.0, 8.0)


class FaultSchedule:
    """When the next fault comes, and which."""

    def __init__(
        self,
        seed: int,
        per_minute: float,
        instruments: Sequence[Instrument],
        now_ns: int,
        venues: Mapping[str, SimulatedVenue],
    ) -> None:
        """``per_minute``: in the mean; the times between are exponential."""
        self._random = random.Random(seed)
        self._per_minute = per_minute
        self._instruments = list(instruments)
        self._streams = {name: venue.fault_streams for name, venue in venues.items()}
        self._owners = {kind: name for name, venue in venues.items() for kind in venue.own_faults}
        self._next_ns = now_ns + self._pause()

    def due(self, now_ns: int) -> list[Fault]:
        """The faults whose time has come."""
        out = []
        while now_ns >= self._next_ns:
            self._next_ns += self._pause()
            out.append(self._choose())
        return out

    def _pause(self) -> int:
        return int(self._random.expovariate(self._per_minute / 60e9))

    def _choose(self) -> Fault:
        r = self._random
        weights = {**_OF_AN_INSTRUMENT, **_OF_A_VENUE}
        kind = r.choices(list(weights), list(weights.values()))[0]
        here = [i for i in self._instruments if i.venue == self._owners.get(kind)]
        instrument = r.choice(here or self._instruments)
        fields: dict[str, object] = {"kind": kind, "venue": instrument.venue}
        if kind in _OF_AN_INSTRUMENT:
            fields["symbol"] = instrument.symbol
            # Prints with wrong numbers are recorded as they come: nobody could tell which ones are missing.
            book = (r.random() < 0.8 or kind == "renumber") and kind != "repeat_trades"
            books, trades = self._streams[instrument.venue]
            fields["stream"] = books if book else trades
        if kind in ("drop", "truncate", "garbage", "duplicate"):
            fields["count"] = r.randint(1, 3)
        if kind == "silent":
            fields["seconds"] = round(r.uniform(*_SILENCE_S), 2)
        if kind == "rest_status":
            fields |= {"status": r.choice((429, 418, 500, 503)), "retry_after": r.randint(1, 3)}
        if kind == "close":
            fields["code"] = r.choice((1000, 1001, 1008, 1011, 1012))
        if kind in ("burst", "cross", "rest_delay"):
            fields["delay"] = round(r.uniform(0.2, 2.0), 2)
        if kind == "shutdown":
            fields |= {"form": r.choice(("combined", "bare", "event")), "delay": round(r.uniform(1.0, 10.0), 2)}
        if kind in ("refuse", "ignore_subscribe", "reject_subscribe"):
            fields["seconds"] = round(r.uniform(1.0, 5.0), 2)
        if kind == "restart":
            fields["as_delta"] = r.random() < 0.3
        return parse_fault(fields)
