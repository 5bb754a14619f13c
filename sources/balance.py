"""Instruments dealt to workers by their weight, with nothing that travels between workers.

Bytewax decides by the hash of a key where an item goes (`sources.placement`). So an item is keyed by a text that begins
with its instrument and ends in whatever makes the hash come out at the wanted worker.
"""

from collections.abc import Mapping
from itertools import count

from sources.instrument import Instrument
from sources.placement import home_worker

_MARK = "%"  # in no instrument's name


class Placement:
    """Which worker computes an instrument; the same answer in every process that is given the same weights.

    State that is kept for a resumption is kept by key, and these keys change with the number of workers: a resumable
    run goes by the hash of plain names, `BY_HASH`.
    """

    def __init__(self, weights: Mapping[str, int]) -> None:
        """``weights``: expected work, in any unit, by ``venue:SYMBOL``; others go by the hash of their name."""
        self.weights = dict(weights)
        self._homes: dict[int, dict[str, int]] = {}  # by number of workers
        self._routes: dict[tuple[Instrument, int], str] = {}

    def home(self, instrument: Instrument, workers: int) -> int:
        """Index of the worker, of ``workers``."""
        if workers not in self._homes:
            self._homes[workers] = dealt(self.weights, workers)
        key = str(instrument)
        home = self._homes[workers].get(key)
        return home_worker(key, workers) if home is None else home

    def route(self, instrument: Instrument, workers: int) -> str:
        """The key that brings an item of the instrument to its home."""
        known = self._routes.get((instrument, workers))
        if known is None:
            known = self._routes[instrument, workers] = self._find_route(instrument, workers)
        return known

    def _find_route(self, instrument: Instrument, workers: int) -> str:
        key, home = str(instrument), self.home(instrument, workers)
        if home_worker(key, workers) == home:
            return key
        return next(route for n in count() if home_worker(route := f"{key}{_MARK}{n}", workers) == home)


BY_HASH = Placement({})


def plain(route: str) -> str:
    """The ``venue:SYMBOL`` of a `Placement.route`."""
    return route.partition(_MARK)[0]


def dealt(weights: Mapping[str, int], workers: int) -> dict[str, int]:
    """The heaviest first, each to the worker that has least so far: Graham 1969, at most 4/3 of the best there is."""
    loads = [0] * workers
    homes: dict[str, int] = {}
    for key, weight in sorted(weights.items(), key=lambda item: (-item[1], item[0])):
        homes[key] = loads.index(min(loads))
        loads[homes[key]] += weight
    return homes
