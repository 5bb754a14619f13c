"""What a dataflow writes anyway, copied into arrays that browsers are served from.

The engine's side must cost next to nothing: a batch is a few NumPy copies under a lock. What a browser is sent is put
together in the server's thread, as often as that has time for.
"""

import math
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from operators.config import FeatureConfig
from operators.row_batch import RowBatch, RowSchema
from sources.errors import TickwaxError
from sources.tape.batch import RESET, TRADE, Float64s, InstrumentBatch
from window.columns import NS_PER_MS, Columns, feature_rows
from window.overview import Overview
from window.ring import Ring

FEATURES, TRADES, RESETS = "features", "trades", "resets"
TRADE_COLUMNS = ["ts", "price", "size", "side"]
RESET_COLUMNS = ["ts"]

_FULL = 3000  # rows of an instrument that are kept: 5 minutes at 100 ms, 3.4 MB with their books
_FEW = 32  # of one beyond the budget
_BUDGET = 256_000_000  # bytes of all rings of features
_EVENTS = 1000  # trades, fills, rules, kept of each instrument


@dataclass
class _Instrument:
    rings: dict[str, Ring] = field(default_factory=dict)


class Tap:
    """Takes rows from the dataflow's threads, and hands them out to the server's.

    Attributes:
        tape_rows: that have come.
        source: whether those that rows come from are well, in words; empty if they are.
        verdicts: words of the verdicts that `judged` tells, from the best to the worst; empty if it tells none.
    """

    def __init__(self, config: FeatureConfig, now: Callable[[], int], about: Mapping[str, Any]) -> None:
        """Args:
        config: of the features.
        now: ns since 1970.
        about: what the page is told of the run: its ``run``, a name that no other run has, and its ``mode``.
        """
        self.now = now
        self.source: Callable[[], str] = lambda: ""
        self._config = config
        self._about = dict(about)
        self._lock = threading.Lock()
        self._instruments: dict[str, _Instrument] = {}
        self._columns: dict[str, Columns] = {FEATURES: feature_rows(config)}
        self.verdicts: Sequence[str] = ()
        self._left = _BUDGET
        self._heard = now()
        self.tape_rows = 0
        self.overview = Overview(config, self._columns[FEATURES])

    def declare(self, schema: RowSchema) -> None:
        """A further data set will come: fills, equity, forecasts, rules."""
        self._columns[schema.name] = Columns(schema)

    def hello(self) -> dict[str, Any]:
        """What the page must know before the first row."""
        return {
            **self._about,
            "now": self.now() / NS_PER_MS,
            "sampling": self._config.sampling_ns / NS_PER_MS,
            "windows": [text for text, _ in self._config.windows],
            "depths": list(self._config.depths),
            "schemas": self.schemas,
            "overview": self.overview.columns,
            "verdicts": self.verdicts,
        }

    def beat(self) -> dict[str, Any]:
        """How the run is: ms since 1970, and seconds since anything came."""
        return {"now": self.now() / NS_PER_MS, "quiet": (self.now() - self._heard) / 1e9, "source": self.source()}

    def stretch(self, key: str, begin: float, end: float) -> list[bytes]:
        """A run that goes on has no past beyond its rings.

        Raises:
            TickwaxError: always.
        """
        raise TickwaxError("what has been recorded is shown by tickwax ui")

    def sparks(self) -> Float64s:
        """As `Overview.sparks`."""
        with self._lock:
            return self.overview.sparks()

    @property
    def schemas(self) -> dict[str, Any]:
        """Columns, and words of columns, of each kind of row."""
        told = {name: {"columns": c.names, "words": c.words} for name, c in self._columns.items()}
        told[TRADES] = {"columns": TRADE_COLUMNS, "words": {}}
        told[RESETS] = {"columns": RESET_COLUMNS, "words": {}}
        return told

    def put(self, name: str, key: str, rows: RowBatch) -> None:
        """Take rows of a data set; ``key`` is ``venue:SYMBOL``."""
        if not rows.rows:  # the tape of the instrument has ended
            return
        new = self._columns[name].of(rows)
        self._heard = self.now()
        with self._lock:
            self._ring(key, name, len(new)).append(new)
            if name == FEATURES:
                self.overview.row(key, new)

    def put_tape(self, item: InstrumentBatch) -> None:
        """Take the trades and the resets of a tape batch."""
        batch = item.batch
        kinds = batch.kind.tobytes()  # most batches are a frame of one of them; NumPy looks at a few rows more slowly
        self._heard = self.now()
        with self._lock:
            self.tape_rows += len(kinds)
            if TRADE in kinds:
                shown = slice(None) if kinds.count(TRADE) == len(kinds) else batch.kind == TRADE
                columns: list[Any] = [batch.exchange_ts, batch.price, batch.size, batch.side]
                new = np.empty((len(columns), kinds.count(TRADE)))
                for row, column in zip(new, columns, strict=True):
                    row[:] = column[shown]
                new[0] /= NS_PER_MS
                self._ring(str(item.instrument), TRADES, len(new)).append(new)
            if RESET in kinds:
                times = batch.exchange_ts[batch.kind == RESET]
                key = str(item.instrument)
                self._ring(key, RESETS, len(RESET_COLUMNS)).append(np.array([times / NS_PER_MS]))
                self.overview.reset(key, len(times))

    def expect(self, keys: Iterable[str]) -> None:
        """Instruments of which rows ought to come: they are shown as waiting until then."""
        with self._lock:
            for key in keys:
                self._instruments.setdefault(key, _Instrument())
                self.overview.expect(key)

    def judged(self, verdicts: Mapping[str, int]) -> None:
        """Take the number of each instrument's verdict; that of any other is not known any more."""
        with self._lock:
            for key in self.overview.names:
                self.overview.verdict(key, verdicts.get(key, math.nan))

    def known(self, key: str) -> bool:
        """Whether the instrument is one of the run's."""
        return key in self._instruments

    def watch(self, key: str) -> None:
        """Somebody looks at the instrument: it gets full room."""
        with self._lock:
            ring = self._instruments[key].rings.get(FEATURES)
            if ring is not None and ring.capacity < _FULL:
                self._instruments[key].rings[FEATURES] = ring.grown(_FULL)

    def since(self, key: str, seen: Mapping[str, int]) -> dict[str, tuple[Float64s, int, int]]:
        """What came after: by kind of row, the rows, how many of them are gone already, and the new count.

        Args:
            seen: counts of the call before; the call changes nothing.
        """
        found = {}
        with self._lock:
            instrument = self._instruments.get(key)
            for name, ring in instrument.rings.items() if instrument else ():
                if ring.count > seen.get(name, 0):
                    rows, gone = ring.since(seen.get(name, 0))
                    found[name] = (rows, gone, ring.count)
        return found

    def newest(self) -> tuple[list[str], Float64s, Float64s]:
        """Instruments, the newest numbers of each (`Overview.values`), and how many feature rows have come of each."""
        with self._lock:
            names = self.overview.names
            rings = [self._instruments[name].rings.get(FEATURES) for name in names]
            return names, self.overview.values(), np.array([ring.count if ring else 0 for ring in rings], np.float64)

    def has(self, name: str) -> bool:
        """Whether such a data set was declared."""
        return name in self._columns

    def last(self, name: str) -> dict[str, Float64s]:
        """The newest row of a data set, of every instrument that has one."""
        with self._lock:
            rings = {key: instrument.rings.get(name) for key, instrument in self._instruments.items()}
            return {key: ring.last() for key, ring in rings.items() if ring is not None}

    def changed(self, versions: Float64s) -> tuple[list[str], Float64s, Float64s]:
        """As `Overview.changed`, between two batches of the dataflow."""
        with self._lock:
            return self.overview.changed(versions)

    def _ring(self, key: str, name: str, columns: int) -> Ring:
        rings = self._instruments.setdefault(key, _Instrument()).rings
        ring = rings.get(name)
        if ring is None:
            ring = rings[name] = Ring(columns, self._room(columns) if name == FEATURES else _EVENTS)
        return ring

    def _room(self, columns: int) -> int:
        wanted = 8 * columns * _FULL
        if wanted > self._left:
            return _FEW
        self._left -= wanted
        return _FULL
